# Personnes, rôles, journal, réglages, état
