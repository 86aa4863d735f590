# Schlüssel, Webhooks, Zustellungen, Ereignisse, Anfragen, APIs
