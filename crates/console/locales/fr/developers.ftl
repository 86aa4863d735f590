# Clés, webhooks, livraisons, événements, requêtes, API
