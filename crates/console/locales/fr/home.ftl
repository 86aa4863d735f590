# Sa propre page
me-title = Vous
me-settings = Comment les pages vous sont montrées
me-zone-hint = Par exemple Europe/Zurich. Tous les moments sont affichés dans ce fuseau.
me-password = Changer le mot de passe
me-password-is = Il vous permet de vous connecter.
me-password-none = Vous n’en avez pas.
me-password-what = Vos autres sessions prennent fin. Vous restez connecté ici.
me-password-hint = Au moins 15 caractères, ou 8 à côté des codes d’une application. Une phrase se retient mieux qu’une énigme.
me-codes = Codes d’une application
me-codes-are = Demandés après votre mot de passe.
me-codes-none = Un second facteur : six chiffres affichés par une application de votre téléphone.
me-codes-what = Une application comme Aegis ou Google Authenticator reçoit un secret et affiche un nouveau code toutes les 30 secondes. Vos autres sessions prennent fin dès qu’il est en vigueur.
me-codes-secret = Secret pour l’application
me-codes-secret-hint = À saisir dans l’application ou, sur le téléphone lui-même :
me-codes-open = ouvrir l’application
me-codes-confirm = Mettre en vigueur
me-codes-wrong = Ce code ne convenait pas. Tapez celui que l’application affiche maintenant.
me-recovery = Codes de récupération
me-recovery-what = Chacun vaut une fois à la place d’un code de l’application.
me-recovery-new = En créer de nouveaux
me-recovery-make = Dix nouveaux codes sont créés, à garder sur papier ou en lieu sûr. Les précédents ne valent plus.
me-recovery-made = Voici vos nouveaux codes. Ils ne sont affichés que cette fois.
me-passkey = Clé d’accès
me-add = Configurer
me-remove = Retirer
me-end = Terminer
me-end-others = Terminer toutes les autres
me-this = celle-ci
me-agent-none = Navigateur inconnu
me-opened = Ouverte
field-theme = Couleurs
theme-system = Comme le système
theme-light = Claires
theme-dark = Sombres
field-shortcuts = Touches d’une seule lettre
shortcuts-true = Agissent
shortcuts-false = Ne font rien
language-none = Comme le demande le navigateur
language-en-GB = English (United Kingdom)
language-en-US = English (United States)
language-de-DE = Deutsch (Deutschland)
language-de-AT = Deutsch (Österreich)
language-de-CH = Deutsch (Schweiz)
language-fr-FR = français (France)
language-fr-CH = français (Suisse)
final-codes = Retirer les codes
final-codes-name = Codes d’une application
final-codes-what = Votre mot de passe suffira alors, les codes de récupération ne vaudront plus et vos autres sessions prendront fin.
final-passkey = Retirer la clé d’accès
final-passkey-name = Clé d’accès
final-passkey-what = Elle ne vous connectera plus et vos autres sessions prendront fin.
done-session-ended = Cette session est terminée.
done-password-set = Votre mot de passe est défini.
done-codes-set = Désormais, un code de l’application est demandé. Créez aussi des codes de récupération.
done-codes-removed = Plus aucun code n’est demandé.
done-passkey-removed = La clé d’accès est retirée.

# Vue d’ensemble
needs-you = À votre attention
now = maintenant
as-table = En tableau
periods = Période affichée
period-hour = Heure
period-day = Jour
period-week = Semaine
period-month = Mois
span-hour = la dernière heure, par minute
span-day = 24 heures, par heure
span-week = 7 jours, par 4 heures
span-month = 30 jours, par jour
chart-customers = Clients
chart-created = créés
chart-changed = modifiés
chart-requests = Requêtes
chart-done = abouties
chart-not-done = non abouties
chart-errors = Ce qui n’a pas abouti
chart-refused = refusé
chart-failed = échoué
chart-attempts = Tentatives de livraison
chart-delivered = acceptées
chart-broken = faute du serveur
chart-says = { $title }. { $first } : { $one }. { $second } : { $two }.
chart-from = Dès
chart-none = Rien pendant cette période.
tile-made = { $count ->
    [0] aucun créé
    [one] { $shown } créé
    [many] { $shown } de créés
   *[other] { $shown } créés
}
tile-changes = Modifications
tile-changes-what = de clients
tile-requests = Requêtes
tile-refused = { $count ->
    [0] aucune refusée
    [one] { $shown } refusée
    [many] { $shown } de refusées
   *[other] { $shown } refusées
}
tile-errors = Erreurs
tile-errors-what = du serveur
tile-attempts = Tentatives de livraison
tile-failed = { $count ->
    [0] aucune échouée
    [one] { $shown } échouée
    [many] { $shown } d’échouées
   *[other] { $shown } échouées
}
statistics-kept = Compté par minute, gardé 35 jours
first-done = fait
first-key = Une clé
first-key-what = Un programme en a besoin pour chaque API qu’il parle.
first-customer = Le premier client
first-customer-what = Créez-en un, envoyez-en un par l’une des API, ou importez un fichier avec la commande : patron import
first-webhook = Un point de réception de webhooks
first-webhook-what = Votre propre programme apprend ce qui se passe.
first-people = Quelqu’un à vos côtés
first-people-what = Invitez des personnes, chacune avec les rôles qu’il lui faut.
warn-ended = { $host } a dit qu’il n’existe plus et n’est plus informé de rien.
warn-ended-what = Si c’était une erreur, changez son adresse et reprenez ; sinon supprimez le point de réception.
warn-paused = { $host } n’a pas répondu pendant cinq jours et est en pause.
warn-paused-what = Voyez ce qu’il a répondu en dernier, réparez, puis reprenez : ce qui s’est passé entre-temps est gardé.
warn-failing = { $host } n’accepte pas ce qu’on lui dit.
warn-failing-what = Voyez ce qu’il répond. De nouvelles tentatives ont lieu d’elles-mêmes ; après cinq jours, il est mis en pause.
warn-endpoint-go = Voir ce qu’il répond
warn-key = La clé { $name } prend fin le { $moment }.
warn-key-what = Remplacez-la : la nouvelle a les mêmes droits, et l’ancienne reste valable un moment.
warn-key-go = Ouvrir la clé
