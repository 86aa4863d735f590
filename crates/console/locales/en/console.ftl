# Frame
skip = Skip to content
menu = Menu
nav-main = Main
nav-switch = Choose another space
nav-overview = Overview
nav-customers = Customers
palette = Search or jump…
palette-hint = A name, e-mail, reference; or a page
sign-out = Sign out
seen-as = Seen as { $roles }
sandbox = Sandbox
sandbox-what = Its keys are public and anybody may sign in. Put no real people in it.
sandbox-enter = Open the sandbox
copied = Copied
request-id = Request
or = or
go-on = Continue
go-sign-in = Sign in
go-prove = Prove who you are
go-start = To the start
look-below = Something is missing below.
ago-now = just now
ago-minutes = { $count ->
    [one] a minute ago
   *[other] { $shown } minutes ago
}
ago-hours = { $count ->
    [one] an hour ago
   *[other] { $shown } hours ago
}

# Doors
door-about = About Patron
door-claim = One customer record, every payment API.
door-what = Who they are, how to reach them, how they pay and what was said: kept once, answered in every format, every change on record.
door-foot = Runs on your own server.
sign-in = Sign in
email = E-mail
password = Password
forgotten = Forgotten your password?
sign-in-waits = After too many wrong tries this browser has to wait. Nobody else can lock you out: a passkey, the company sign-in and a mailed link keep working.
sign-in-refused = That did not fit. Check what you typed and try again.
sign-in-too-many = Too many wrong tries came from here. Wait a minute, or use a passkey, the company sign-in or a mailed link.
passkey-use = Use a passkey
passkey-failed = The passkey was not taken. Try again, or sign in otherwise.
provider-continue = Continue with { $name }
provider-email = E-mail at your company
provider-find = Company sign-in
provider-none = No company sign-in is known for this address.
second = Second step
second-what = Your password was right. Prove by one more thing that it is you.
prove = Prove who you are
prove-what = What you are about to do is delicate, and you signed in a while ago.
code = Code of your app
recovery-use = Use a recovery code
recovery-code = Recovery code
invite-title = Accept your invitation
invite-what = Choose a password, and you can sign in.
invite-act = Accept
reset-title = Choose another password
reset-what = All your sessions end, and the new password counts at once.
reset-act = Set the password
confirm-title = Confirm your address
confirm-what = You sign in by this address from then on, and all your sessions end.
confirm-act = Confirm
approve-title = Sign in with this browser
approve-what = Somebody tried wrong passwords for you. If you asked for this link, this browser is let in.
approve-act = It was me
link-token = Link from the mail
link-token-hint = Paste the whole link.
link-over = This link is not good any more: ask for another one.
password-new = New password
password-hint = At least 15 characters. A sentence is easier to remember than a riddle.
forgot-title = A forgotten password
forgot-what = We mail you a link by which you choose another one.
forgot-sent = If somebody signs in by this address, a mail with a link is on its way. It is good for an hour.
forgot-act = Mail me a link
done-signed-out = You are signed out.
done-invite = You can sign in now, with your address and the password you chose.
done-reset = Your password is set. You can sign in with it now.
done-approve = You can sign in with this browser now.
done-confirm = Your address is confirmed. You sign in by it from now on.

# Spaces
spaces-title = Spaces
spaces-none = No space is open to you
spaces-none-what = Somebody who gives roles in your account has to give you one. The command on the server is: patron user grant
spaces-more = There are more than are shown here.
overview-empty = No customers yet
overview-empty-what = Create the first one, send one over any of the APIs, or bring a file in with the command: patron import
overview-lines = Lines to paste into a shell, for each API
overview-reference = The reference of every API

# Errors
error-title = Refused
error-again = Open the page again
error-again-what = This form was not sent from a page of this server, or from one of another session. Nothing was changed.
error-sign-in = Sign in again
error-sign-in-what = Your session is over. Nothing was changed.
error-prove = Prove who you are
error-prove-what = What you asked for is delicate, and you signed in a while ago. Nothing was changed. Prove who you are, then send the form again.
error-factor = You need a second factor
error-factor-what = A role of yours counts only with one, and you have none yet. Add a passkey or an app that shows codes, over the API at /v1/me/totp.
error-forbidden = You may not do this
error-forbidden-what = None of your roles allows it here. Who gives roles in this account can change that. Nothing was changed.
error-missing = There is nothing here
error-missing-what = Whatever was here is gone or never was, or it is not for you.
error-method = This is not asked for so
error-method-what = The address is right, but not for a request of this kind.
error-malformed = The address cannot be understood
error-malformed-what = A part of it is not of the expected form.
error-invalid = Not accepted
error-invalid-what = What was sent breaks a rule. Nothing was changed. Go back; what you typed is still there.
error-stale = Somebody was faster
error-stale-what = The record was changed since you opened it. Nothing was changed by you. Open it again.
error-state = Not possible as things are
error-state-what = The record is in a state that does not allow this, or another one has the value already. Nothing was changed.
error-busy = Not now
error-busy-what = The server has too much to do, or cannot reach its store. Try again in a moment.
error-large = Too large
error-large-what = More was sent than is taken at a time. Nothing was changed.
error-broken = Something broke
error-broken-what = It is the server's fault, and it is logged under the number below. What you sent was probably not done; look before you send it again.

# Why a value is refused
why-required = Must be given.
why-too-long = Must be at most { $max } characters long.
why-too-short = Must be at least { $min } characters long.
why-malformed = Must be { $expected }.
why-unknown = No such { $what } is known.
why-misnamed = No such { $what } is known; did you mean { $meant }?
why-out-of-range = Must be between { $min } and { $max }.
why-not-one-of = Must be one of { $allowed }.
why-nearly-one-of = Must be one of { $allowed }; did you mean { $meant }?
why-control-character = Must not contain control characters.
why-characters = May only contain { $allowed }.
why-card-number = Looks like a card number; card numbers are never stored here.
why-security-code = Card security codes are never accepted here.
why-taken = Is already used by another record.
why-ambiguous = Is used by several records.
why-mismatch = Must equal { $with }.
why-too-many = Must have at most { $max } entries.
why-too-large = Must be at most { $max } bytes.
why-too-deep = Must be nested at most { $max } levels deep.
why-required-without = Must be given when { $others } is absent.
why-read-only = Cannot be changed.
why-duplicate = Must not appear twice.
why-unknown-field = Is not known here.
why-misspelt = Is not known here; did you mean { $meant }?
why-syntax = Cannot be understood: { $reason }.
