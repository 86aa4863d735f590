# One's own page
me-title = You
me-settings = How pages are shown to you
me-zone-hint = Such as Europe/Zurich. All moments are shown in it.
me-password = Change the password
me-password-is = You can sign in by it.
me-password-none = You have none.
me-password-what = Your other sessions end. You stay signed in here.
me-password-hint = At least 15 characters, or 8 beside codes of an app. A sentence is easier to remember than a riddle.
me-codes = Codes of an app
me-codes-are = Asked for after your password.
me-codes-none = A second factor: six digits that an app on your phone shows.
me-codes-what = An app such as Aegis or Google Authenticator gets a secret and shows a new code every 30 seconds. Your other sessions end once it is in force.
me-codes-secret = Secret for the app
me-codes-secret-hint = Type it into the app, or, on the phone itself:
me-codes-open = open the app
me-codes-confirm = Put in force
me-codes-wrong = That code did not fit. Type the one the app shows now.
me-recovery = Recovery codes
me-recovery-what = Each is good once in place of a code of the app.
me-recovery-new = Make new ones
me-recovery-make = Ten new codes are made, to be kept on paper or in a safe place. Those of before are good no more.
me-recovery-made = These are your new codes. They are shown this once.
me-passkey = Passkey
me-add = Set up
me-remove = Remove
me-end = End
me-end-others = End all others
me-this = this one
me-agent-none = Unknown browser
me-opened = Opened
field-theme = Colours
theme-system = As the system
theme-light = Light
theme-dark = Dark
field-shortcuts = Single-letter keys
shortcuts-true = Act
shortcuts-false = Do nothing
language-none = As the browser asks
language-en-GB = English (United Kingdom)
language-en-US = English (United States)
language-de-DE = Deutsch (Deutschland)
language-de-AT = Deutsch (Österreich)
language-de-CH = Deutsch (Schweiz)
language-fr-FR = français (France)
language-fr-CH = français (Suisse)
final-codes = Remove the codes
final-codes-name = Codes of an app
final-codes-what = From then on your password alone lets you in, recovery codes are good no more, and your other sessions end.
final-passkey = Remove the passkey
final-passkey-name = Passkey
final-passkey-what = It signs you in no more, and your other sessions end.
done-session-ended = That session is ended.
done-password-set = Your password is set.
done-codes-set = From now on a code of the app is asked for. Make recovery codes, too.
done-codes-removed = No code is asked for any more.
done-passkey-removed = The passkey is removed.

# Overview
needs-you = Needs you
now = now
as-table = As a table
periods = Time that is shown
period-hour = Hour
period-day = Day
period-week = Week
period-month = Month
span-hour = the last hour, by minutes
span-day = 24 hours, by hours
span-week = 7 days, by 4 hours
span-month = 30 days, by days
chart-customers = Customers
chart-created = made
chart-changed = changed
chart-requests = Requests
chart-done = done
chart-not-done = not done
chart-errors = What was not done
chart-refused = refused
chart-failed = failed
chart-attempts = Attempts to deliver
chart-delivered = taken
chart-broken = the server’s fault
chart-says = { $title }. { $first }: { $one }. { $second }: { $two }.
chart-from = From
chart-none = Nothing in this time.
tile-made = { $count ->
    [0] none made
    [one] one made
   *[other] { $shown } made
}
tile-changes = Changes
tile-changes-what = of customers
tile-requests = Requests
tile-refused = { $count ->
    [0] none refused
    [one] one refused
   *[other] { $shown } refused
}
tile-errors = Errors
tile-errors-what = of the server
tile-attempts = Attempts to deliver
tile-failed = { $count ->
    [0] none failed
    [one] one failed
   *[other] { $shown } failed
}
statistics-kept = Counted by the minute, kept for 35 days
first-done = done
first-key = A key
first-key-what = A program needs one for each API it speaks.
first-customer = The first customer
first-customer-what = Create one, send one over any of the APIs, or bring a file in with the command: patron import
first-webhook = A webhook endpoint
first-webhook-what = Your own program is told what happens.
first-people = Somebody beside you
first-people-what = Invite people, each with the roles they need.
warn-ended = { $host } said that it is gone, and is told nothing any more.
warn-ended-what = If that was a mistake, change its address and resume it; else delete the endpoint.
warn-paused = { $host } did not answer for five days and is paused.
warn-paused-what = See what it answered last, mend it, then resume: what happened meanwhile is kept.
warn-failing = { $host } does not take what it is told.
warn-failing-what = See what it answers. It is tried again by itself, and paused after five days.
warn-endpoint-go = See what it answers
warn-key = The key { $name } ends on { $moment }.
warn-key-what = Replace it: the new one has the same rights, and the old one goes on for a while.
warn-key-go = Open the key
