# Die eigene Seite
me-title = Sie
me-settings = Wie Ihnen Seiten gezeigt werden
me-zone-hint = Etwa Europe/Zurich. Alle Zeiten werden darin gezeigt.
me-password = Passwort ändern
me-password-is = Damit können Sie sich anmelden.
me-password-none = Sie haben keines.
me-password-what = Ihre anderen Sitzungen enden. Hier bleiben Sie angemeldet.
me-password-hint = Mindestens 15 Zeichen, oder 8 neben Codes einer App. Ein Satz merkt sich leichter als ein Rätsel.
me-codes = Codes einer App
me-codes-are = Werden nach Ihrem Passwort verlangt.
me-codes-none = Ein zweiter Faktor: sechs Ziffern, die eine App auf Ihrem Telefon zeigt.
me-codes-what = Eine App wie Aegis oder Google Authenticator bekommt ein Geheimnis und zeigt alle 30 Sekunden einen neuen Code. Ihre anderen Sitzungen enden, sobald es gilt.
me-codes-secret = Geheimnis für die App
me-codes-secret-hint = In die App eintippen oder, auf dem Telefon selbst:
me-codes-open = App öffnen
me-codes-confirm = In Kraft setzen
me-codes-wrong = Dieser Code passte nicht. Tippen Sie den ein, den die App jetzt zeigt.
me-recovery = Wiederherstellungscodes
me-recovery-what = Jeder gilt einmal anstelle eines Codes der App.
me-recovery-new = Neue erzeugen
me-recovery-make = Zehn neue Codes werden erzeugt, für Papier oder einen anderen sicheren Ort. Die bisherigen gelten nicht mehr.
me-recovery-made = Das sind Ihre neuen Codes. Sie werden nur dieses eine Mal gezeigt.
me-passkey = Passkey
me-add = Einrichten
me-remove = Entfernen
me-end = Beenden
me-end-others = Alle anderen beenden
me-this = diese
me-agent-none = Unbekannter Browser
me-opened = Eröffnet
field-theme = Farben
theme-system = Wie das System
theme-light = Hell
theme-dark = Dunkel
field-shortcuts = Einzelne Tasten
shortcuts-true = Wirken
shortcuts-false = Bewirken nichts
language-none = Wie der Browser verlangt
language-en-GB = English (United Kingdom)
language-en-US = English (United States)
language-de-DE = Deutsch (Deutschland)
language-de-AT = Deutsch (Österreich)
language-de-CH = Deutsch (Schweiz)
language-fr-FR = français (France)
language-fr-CH = français (Suisse)
final-codes = Codes entfernen
final-codes-name = Codes einer App
final-codes-what = Danach genügt Ihr Passwort, Wiederherstellungscodes gelten nicht mehr, und Ihre anderen Sitzungen enden.
final-passkey = Passkey entfernen
final-passkey-name = Passkey
final-passkey-what = Er meldet Sie nicht mehr an, und Ihre anderen Sitzungen enden.
done-session-ended = Diese Sitzung ist beendet.
done-password-set = Ihr Passwort ist gesetzt.
done-codes-set = Von nun an wird ein Code der App verlangt. Erzeugen Sie auch Wiederherstellungscodes.
done-codes-removed = Es wird kein Code mehr verlangt.
done-passkey-removed = Der Passkey ist entfernt.

# Übersicht
needs-you = Braucht Sie
now = jetzt
as-table = Als Tabelle
periods = Gezeigte Zeit
period-hour = Stunde
period-day = Tag
period-week = Woche
period-month = Monat
span-hour = die letzte Stunde, nach Minuten
span-day = 24 Stunden, nach Stunden
span-week = 7 Tage, nach 4 Stunden
span-month = 30 Tage, nach Tagen
chart-customers = Kunden
chart-created = angelegt
chart-changed = geändert
chart-requests = Anfragen
chart-done = erledigt
chart-not-done = nicht erledigt
chart-errors = Was nicht erledigt wurde
chart-refused = abgelehnt
chart-failed = gescheitert
chart-attempts = Zustellversuche
chart-delivered = angenommen
chart-broken = Fehler des Servers
chart-says = { $title }. { $first }: { $one }. { $second }: { $two }.
chart-from = Ab
chart-none = Nichts in dieser Zeit.
tile-made = { $count ->
    [0] keiner angelegt
    [one] einer angelegt
   *[other] { $shown } angelegt
}
tile-changes = Änderungen
tile-changes-what = von Kunden
tile-requests = Anfragen
tile-refused = { $count ->
    [0] keine abgelehnt
    [one] eine abgelehnt
   *[other] { $shown } abgelehnt
}
tile-errors = Fehler
tile-errors-what = des Servers
tile-attempts = Zustellversuche
tile-failed = { $count ->
    [0] keiner gescheitert
    [one] einer gescheitert
   *[other] { $shown } gescheitert
}
statistics-kept = Nach Minuten gezählt, 35 Tage aufbewahrt
first-done = erledigt
first-key = Ein Schlüssel
first-key-what = Ein Programm braucht einen für jede API, die es spricht.
first-customer = Der erste Kunde
first-customer-what = Legen Sie einen an, senden Sie einen über eine der APIs, oder bringen Sie eine Datei mit dem Befehl herein: patron import
first-webhook = Ein Webhook-Endpunkt
first-webhook-what = Ihr eigenes Programm erfährt, was geschieht.
first-people = Jemand neben Ihnen
first-people-what = Laden Sie Leute ein, jeden mit den Rollen, die er braucht.
warn-ended = { $host } hat gesagt, dass es ihn nicht mehr gibt, und erfährt nichts mehr.
warn-ended-what = War das ein Irrtum, ändern Sie die Adresse und nehmen ihn wieder auf; sonst löschen Sie den Endpunkt.
warn-paused = { $host } hat fünf Tage nicht geantwortet und ruht.
warn-paused-what = Sehen Sie, was er zuletzt geantwortet hat, beheben Sie es und nehmen Sie ihn wieder auf: Was inzwischen geschah, ist aufbewahrt.
warn-failing = { $host } nimmt nicht an, was er erfährt.
warn-failing-what = Sehen Sie, was er antwortet. Es wird von selbst weiter versucht; nach fünf Tagen ruht er.
warn-endpoint-go = Sehen, was er antwortet
warn-key = Der Schlüssel { $name } endet am { $moment }.
warn-key-what = Ersetzen Sie ihn: Der neue hat die gleichen Rechte, und der alte gilt noch eine Weile.
warn-key-go = Schlüssel öffnen
