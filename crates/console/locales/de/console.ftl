# Rahmen
skip = Zum Inhalt
menu = Menü
nav-main = Hauptmenü
nav-switch = Anderen Bereich wählen
nav-overview = Übersicht
nav-customers = Kunden
palette = Suchen oder springen …
palette-hint = Name, E-Mail, Referenz; oder eine Seite
sign-out = Abmelden
seen-as = Gesehen als { $roles }
sandbox = Sandbox
sandbox-what = Ihre Schlüssel sind öffentlich, und jeder kann sich anmelden. Keine echten Personen eintragen.
sandbox-enter = Sandbox öffnen
copied = Kopiert
request-id = Anfrage
or = oder
go-on = Weiter
go-sign-in = Anmelden
go-prove = Nachweisen, wer Sie sind
go-start = Zum Anfang
look-below = Unten fehlt noch etwas.
ago-now = gerade eben
ago-minutes = { $count ->
    [one] vor einer Minute
   *[other] vor { $shown } Minuten
}
ago-hours = { $count ->
    [one] vor einer Stunde
   *[other] vor { $shown } Stunden
}

# Türen
door-about = Über Patron
door-claim = Ein Kundendatensatz, jede Zahlungs-API.
door-what = Wer sie sind, wie man sie erreicht, wie sie zahlen und was gesagt wurde: einmal gespeichert, in jedem Format beantwortet, jede Änderung festgehalten.
door-foot = Läuft auf Ihrem eigenen Server.
sign-in = Anmelden
email = E-Mail
password = Passwort
forgotten = Passwort vergessen?
sign-in-waits = Nach zu vielen Fehlversuchen muss dieser Browser warten. Niemand sonst kann Sie aussperren: Passkey, Firmenanmeldung und ein zugesandter Link gehen immer.
sign-in-refused = Das hat nicht gepasst. Prüfen Sie die Eingabe und versuchen Sie es noch einmal.
sign-in-too-many = Von hier kamen zu viele Fehlversuche. Warten Sie eine Minute, oder nehmen Sie einen Passkey, die Firmenanmeldung oder einen zugesandten Link.
passkey-use = Passkey verwenden
passkey-failed = Der Passkey wurde nicht angenommen. Versuchen Sie es noch einmal oder melden Sie sich anders an.
provider-continue = Weiter mit { $name }
provider-email = E-Mail in Ihrer Firma
provider-find = Firmenanmeldung
provider-none = Zu dieser Adresse ist keine Firmenanmeldung bekannt.
second = Zweiter Schritt
second-what = Das Passwort war richtig. Weisen Sie noch auf einem zweiten Weg nach, dass Sie es sind.
prove = Nachweisen, wer Sie sind
prove-what = Was Sie vorhaben, ist heikel, und Ihre Anmeldung liegt schon etwas zurück.
code = Code aus Ihrer App
recovery-use = Wiederherstellungscode verwenden
recovery-code = Wiederherstellungscode
invite-title = Einladung annehmen
invite-what = Wählen Sie ein Passwort, dann können Sie sich anmelden.
invite-act = Annehmen
reset-title = Anderes Passwort wählen
reset-what = Alle Ihre Sitzungen enden, und das neue Passwort gilt sofort.
reset-act = Passwort setzen
confirm-title = Adresse bestätigen
confirm-what = Von da an melden Sie sich mit dieser Adresse an, und alle Ihre Sitzungen enden.
confirm-act = Bestätigen
approve-title = Mit diesem Browser anmelden
approve-what = Jemand hat falsche Passwörter für Sie versucht. Wenn Sie diesen Link wollten, wird dieser Browser zugelassen.
approve-act = Das war ich
link-token = Link aus der E-Mail
link-token-hint = Fügen Sie den ganzen Link ein.
link-over = Dieser Link gilt nicht mehr: Fordern Sie einen neuen an.
password-new = Neues Passwort
password-hint = Mindestens 15 Zeichen. Ein Satz merkt sich leichter als ein Rätsel.
forgot-title = Passwort vergessen
forgot-what = Wir senden Ihnen einen Link, mit dem Sie ein anderes wählen.
forgot-sent = Wenn sich jemand mit dieser Adresse anmeldet, ist eine E-Mail mit einem Link unterwegs. Er gilt eine Stunde.
forgot-act = Link zusenden
done-signed-out = Sie sind abgemeldet.
done-invite = Sie können sich jetzt anmelden, mit Ihrer Adresse und dem gewählten Passwort.
done-reset = Ihr Passwort ist gesetzt. Sie können sich jetzt damit anmelden.
done-approve = Sie können sich jetzt mit diesem Browser anmelden.
done-confirm = Ihre Adresse ist bestätigt. Von jetzt an melden Sie sich damit an.

# Bereiche
spaces-title = Bereiche
spaces-none = Ihnen steht kein Bereich offen
spaces-none-what = Wer in Ihrem Konto Rollen vergibt, muss Ihnen eine geben. Der Befehl auf dem Server lautet: patron user grant
spaces-more = Es gibt mehr, als hier gezeigt werden.
overview-empty = Noch keine Kunden
overview-empty-what = Legen Sie den ersten an, senden Sie einen über eine der APIs, oder bringen Sie eine Datei herein mit dem Befehl: patron import
overview-lines = Zeilen zum Einfügen in eine Shell, für jede API
overview-reference = Das Nachschlagewerk aller APIs

# Fehler
error-title = Abgelehnt
error-again = Öffnen Sie die Seite noch einmal
error-again-what = Dieses Formular kam nicht von einer Seite dieses Servers oder aus einer anderen Sitzung. Es wurde nichts geändert.
error-sign-in = Melden Sie sich noch einmal an
error-sign-in-what = Ihre Sitzung ist zu Ende. Es wurde nichts geändert.
error-prove = Weisen Sie nach, wer Sie sind
error-prove-what = Was Sie vorhaben, ist heikel, und Ihre Anmeldung liegt schon etwas zurück. Es wurde nichts geändert. Weisen Sie nach, wer Sie sind, und senden Sie das Formular dann noch einmal.
error-factor = Sie brauchen einen zweiten Faktor
error-factor-what = Eine Ihrer Rollen gilt nur mit einem, und Sie haben noch keinen. Richten Sie einen Passkey oder eine App ein, die Codes zeigt, über die API unter /v1/me/totp.
error-forbidden = Das dürfen Sie nicht
error-forbidden-what = Keine Ihrer Rollen erlaubt es hier. Wer in diesem Konto Rollen vergibt, kann das ändern. Es wurde nichts geändert.
error-missing = Hier ist nichts
error-missing-what = Was hier war, ist weg oder war nie da, oder es ist nicht für Sie.
error-method = So wird hier nicht gefragt
error-method-what = Die Adresse stimmt, aber nicht für eine solche Anfrage.
error-malformed = Die Adresse ist nicht verständlich
error-malformed-what = Ein Teil davon hat nicht die erwartete Form.
error-invalid = Nicht angenommen
error-invalid-what = Was gesendet wurde, verstößt gegen eine Regel. Es wurde nichts geändert. Gehen Sie zurück; Ihre Eingaben sind noch da.
error-stale = Jemand war schneller
error-stale-what = Der Datensatz wurde geändert, seit Sie ihn geöffnet haben. Von Ihnen wurde nichts geändert. Öffnen Sie ihn noch einmal.
error-state = So, wie es steht, nicht möglich
error-state-what = Der Datensatz ist in einem Zustand, der das nicht erlaubt, oder ein anderer hat den Wert schon. Es wurde nichts geändert.
error-busy = Jetzt nicht
error-busy-what = Der Server hat zu viel zu tun oder erreicht seinen Speicher nicht. Versuchen Sie es gleich noch einmal.
error-large = Zu groß
error-large-what = Es wurde mehr gesendet, als auf einmal angenommen wird. Es wurde nichts geändert.
error-broken = Etwas ist kaputtgegangen
error-broken-what = Es liegt am Server und steht unter der Nummer unten im Protokoll. Was Sie gesendet haben, wurde wahrscheinlich nicht getan; sehen Sie nach, bevor Sie es noch einmal senden.

# Warum ein Wert abgelehnt wird
why-required = Muss angegeben werden.
why-too-long = Darf höchstens { $max } Zeichen lang sein.
why-too-short = Muss mindestens { $min } Zeichen lang sein.
why-malformed = Muss { $expected } sein.
why-unknown = Unbekannt: { $what }.
why-misnamed = Unbekannt: { $what }; war { $meant } gemeint?
why-out-of-range = Muss zwischen { $min } und { $max } liegen.
why-not-one-of = Muss eines von diesen sein: { $allowed }.
why-nearly-one-of = Muss eines von diesen sein: { $allowed }; war { $meant } gemeint?
why-control-character = Darf keine Steuerzeichen enthalten.
why-characters = Darf nur { $allowed } enthalten.
why-card-number = Sieht wie eine Kartennummer aus; Kartennummern werden hier nie gespeichert.
why-security-code = Kartenprüfnummern werden hier nie angenommen.
why-taken = Wird schon von einem anderen Datensatz verwendet.
why-ambiguous = Wird von mehreren Datensätzen verwendet.
why-mismatch = Muss gleich { $with } sein.
why-too-many = Darf höchstens { $max } Einträge haben.
why-too-large = Darf höchstens { $max } Bytes groß sein.
why-too-deep = Darf höchstens { $max } Ebenen tief verschachtelt sein.
why-required-without = Muss angegeben werden, wenn { $others } fehlt.
why-read-only = Kann nicht geändert werden.
why-duplicate = Darf nicht zweimal vorkommen.
why-unknown-field = Ist hier nicht bekannt.
why-misspelt = Ist hier nicht bekannt; war { $meant } gemeint?
why-syntax = Ist nicht verständlich: { $reason }.
