# Cadre
skip = Aller au contenu
menu = Menu
nav-main = Menu principal
nav-switch = Choisir un autre espace
nav-overview = Aperçu
nav-customers = Clients
palette = Chercher ou aller à…
palette-hint = Nom, e-mail, référence ; ou une page
sign-out = Se déconnecter
seen-as = Vu en tant que { $roles }
sandbox = Bac à sable
sandbox-what = Ses clés sont publiques et chacun peut s’y connecter. N’y mettez aucune vraie personne.
sandbox-enter = Ouvrir le bac à sable
copied = Copié
request-id = Requête
or = ou
go-on = Continuer
go-sign-in = Se connecter
go-prove = Prouver qui vous êtes
go-start = Au début
look-below = Il manque quelque chose ci-dessous.
ago-now = à l’instant
ago-minutes = { $count ->
    [one] il y a { $shown } minute
    [many] il y a { $shown } de minutes
   *[other] il y a { $shown } minutes
}
ago-hours = { $count ->
    [one] il y a { $shown } heure
    [many] il y a { $shown } d’heures
   *[other] il y a { $shown } heures
}

# Portes
door-about = À propos de Patron
door-claim = Une seule fiche client, toutes les API de paiement.
door-what = Qui ils sont, comment les joindre, comment ils paient et ce qui s’est dit : gardé une fois, répondu dans chaque format, chaque changement consigné.
door-foot = Fonctionne sur votre propre serveur.
sign-in = Se connecter
email = E-mail
password = Mot de passe
forgotten = Mot de passe oublié ?
sign-in-waits = Après trop d’essais manqués, ce navigateur doit attendre. Personne d’autre ne peut vous bloquer : une clé d’accès, la connexion d’entreprise et un lien envoyé restent possibles.
sign-in-refused = Cela ne correspond pas. Vérifiez votre saisie et réessayez.
sign-in-too-many = Trop d’essais manqués sont venus d’ici. Attendez une minute, ou utilisez une clé d’accès, la connexion d’entreprise ou un lien envoyé.
passkey-use = Utiliser une clé d’accès
passkey-failed = La clé d’accès n’a pas été acceptée. Réessayez ou connectez-vous autrement.
provider-continue = Continuer avec { $name }
provider-email = E-mail dans votre entreprise
provider-find = Connexion d’entreprise
provider-none = Aucune connexion d’entreprise n’est connue pour cette adresse.
second = Deuxième étape
second-what = Le mot de passe était juste. Prouvez par un autre moyen que c’est bien vous.
prove = Prouver qui vous êtes
prove-what = Ce que vous allez faire est délicat, et votre connexion date déjà un peu.
code = Code de votre application
recovery-use = Utiliser un code de secours
recovery-code = Code de secours
invite-title = Accepter votre invitation
invite-what = Choisissez un mot de passe, et vous pourrez vous connecter.
invite-act = Accepter
reset-title = Choisir un autre mot de passe
reset-what = Toutes vos sessions prennent fin, et le nouveau mot de passe vaut tout de suite.
reset-act = Définir le mot de passe
confirm-title = Confirmer votre adresse
confirm-what = Vous vous connecterez désormais par cette adresse, et toutes vos sessions prennent fin.
confirm-act = Confirmer
approve-title = Se connecter avec ce navigateur
approve-what = Quelqu’un a essayé de faux mots de passe pour vous. Si vous vouliez ce lien, ce navigateur est admis.
approve-act = C’était moi
link-token = Lien reçu par e-mail
link-token-hint = Collez le lien entier.
link-over = Ce lien n’est plus valable : demandez-en un autre.
password-new = Nouveau mot de passe
password-hint = Au moins 15 caractères. Une phrase se retient mieux qu’une énigme.
forgot-title = Mot de passe oublié
forgot-what = Nous vous envoyons un lien pour en choisir un autre.
forgot-sent = Si quelqu’un se connecte par cette adresse, un e-mail avec un lien est en route. Il vaut une heure.
forgot-act = Envoyer un lien
done-signed-out = Vous êtes déconnecté.
done-invite = Vous pouvez maintenant vous connecter avec votre adresse et le mot de passe choisi.
done-reset = Votre mot de passe est défini. Vous pouvez maintenant vous connecter.
done-approve = Vous pouvez maintenant vous connecter avec ce navigateur.
done-confirm = Votre adresse est confirmée. Vous vous connectez désormais par elle.

# Espaces
spaces-title = Espaces
spaces-none = Aucun espace ne vous est ouvert
spaces-none-what = La personne qui attribue les rôles dans votre compte doit vous en donner un. La commande sur le serveur est : patron user grant
spaces-more = Il y en a plus que ce qui est montré ici.
overview-empty = Pas encore de clients
overview-empty-what = Créez le premier, envoyez-en un par l’une des API, ou importez un fichier avec la commande : patron import
overview-lines = Des lignes à coller dans un terminal, pour chaque API
overview-reference = La référence de toutes les API

# Erreurs
error-title = Refusé
error-again = Ouvrez la page à nouveau
error-again-what = Ce formulaire ne vient pas d’une page de ce serveur, ou vient d’une autre session. Rien n’a été modifié.
error-sign-in = Connectez-vous à nouveau
error-sign-in-what = Votre session est terminée. Rien n’a été modifié.
error-prove = Prouvez qui vous êtes
error-prove-what = Ce que vous demandez est délicat, et votre connexion date déjà un peu. Rien n’a été modifié. Prouvez qui vous êtes, puis renvoyez le formulaire.
error-factor = Il vous faut un second facteur
error-factor-what = Un de vos rôles ne vaut qu’avec lui, et vous n’en avez pas encore. Ajoutez une clé d’accès ou une application qui montre des codes, par l’API sous /v1/me/totp.
error-forbidden = Vous ne pouvez pas faire cela
error-forbidden-what = Aucun de vos rôles ne le permet ici. La personne qui attribue les rôles dans ce compte peut le changer. Rien n’a été modifié.
error-missing = Il n’y a rien ici
error-missing-what = Ce qui était ici n’est plus, n’a jamais été, ou n’est pas pour vous.
error-method = Ce n’est pas demandé ainsi
error-method-what = L’adresse est juste, mais pas pour une telle requête.
error-malformed = L’adresse n’est pas compréhensible
error-malformed-what = Une partie n’a pas la forme attendue.
error-invalid = Non accepté
error-invalid-what = Ce qui a été envoyé enfreint une règle. Rien n’a été modifié. Revenez en arrière ; votre saisie est encore là.
error-stale = Quelqu’un a été plus rapide
error-stale-what = La fiche a été modifiée depuis que vous l’avez ouverte. Vous n’avez rien modifié. Ouvrez-la à nouveau.
error-state = Pas possible en l’état
error-state-what = La fiche est dans un état qui ne le permet pas, ou une autre a déjà cette valeur. Rien n’a été modifié.
error-busy = Pas maintenant
error-busy-what = Le serveur a trop à faire ou n’atteint pas ses données. Réessayez dans un instant.
error-large = Trop grand
error-large-what = Plus a été envoyé que ce qui est accepté à la fois. Rien n’a été modifié.
error-broken = Quelque chose s’est cassé
error-broken-what = C’est la faute du serveur, et c’est consigné sous le numéro ci-dessous. Ce que vous avez envoyé n’a sans doute pas été fait ; vérifiez avant de renvoyer.

# Pourquoi une valeur est refusée
why-required = Doit être indiqué.
why-too-long = Doit compter au plus { $max } caractères.
why-too-short = Doit compter au moins { $min } caractères.
why-malformed = Doit être { $expected }.
why-unknown = Inconnu : { $what }.
why-misnamed = Inconnu : { $what } ; vouliez-vous dire { $meant } ?
why-out-of-range = Doit être entre { $min } et { $max }.
why-not-one-of = Doit être l’un de : { $allowed }.
why-nearly-one-of = Doit être l’un de : { $allowed } ; vouliez-vous dire { $meant } ?
why-control-character = Ne doit pas contenir de caractères de contrôle.
why-characters = Ne peut contenir que { $allowed }.
why-card-number = Ressemble à un numéro de carte ; ils ne sont jamais enregistrés ici.
why-security-code = Les codes de sécurité de carte ne sont jamais acceptés ici.
why-taken = Est déjà utilisé par une autre fiche.
why-ambiguous = Est utilisé par plusieurs fiches.
why-mismatch = Doit être égal à { $with }.
why-too-many = Doit avoir au plus { $max } entrées.
why-too-large = Doit compter au plus { $max } octets.
why-too-deep = Doit être imbriqué sur au plus { $max } niveaux.
why-required-without = Doit être indiqué quand { $others } manque.
why-read-only = Ne peut pas être modifié.
why-duplicate = Ne doit pas figurer deux fois.
why-unknown-field = N’est pas connu ici.
why-misspelt = N’est pas connu ici ; vouliez-vous dire { $meant } ?
why-syntax = Ne peut pas être compris : { $reason }.
