# Keys, webhooks, deliveries, events, requests, APIs
