# People, roles, audit, settings, health
