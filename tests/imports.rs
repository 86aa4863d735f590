//! `patron import` night after night: what is there is brought up to date, whatever wrote the file.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use patron_store::Location;
use patron_testkit::engine::TestEngine;
use serde_json::{Value, json};

use crate::program::patron;

/// A deployment with one space, on the engine of the run.
pub struct Place {
    engine: TestEngine,
    folder: tempfile::TempDir,
}

impl Place {
    pub async fn new() -> Place {
        let place = Place::empty().await;
        place.run(&["space", "create", "Shop", "--json"]);
        place
    }

    /// The same before anything is in it.
    pub async fn empty() -> Place {
        Place { engine: TestEngine::new().await, folder: tempfile::tempdir().unwrap() }
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        self.engine.location()
    }

    /// Where its commands run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = patron();
        command.args(args).current_dir(self.folder.path());
        match self.engine.location() {
            Location::Postgres(url) => {
                let key = "K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=";
                command.args(["--database", url]).env("PATRON__SECRETS__MASTER_KEY", key);
            }
            Location::Sqlite(file) => {
                command.arg("--data").arg(file.parent().unwrap());
            }
            Location::Memory => panic!("commands need a place"),
        }
        command
    }

    pub fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What a command that goes well prints.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What a command that fails says.
    pub fn fail(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(!output.status.success(), "{args:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn import(&self, args: &[&str]) -> String {
        self.run(&[&["import", "--space", "1"], args].concat())
    }

    /// All customers, by number.
    fn customers(&self) -> Vec<Value> {
        let out = self.folder.path().join("all.ndjson");
        let _ = std::fs::remove_file(&out);
        self.run(&["export", "--space", "1", "all.ndjson"]);
        lines(&out)
    }

    fn entries(&self) -> u64 {
        let said = self.run(&["check"]);
        let count = said.split(" records, ").nth(1).unwrap().split(' ').next().unwrap();
        count.parse().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A file of people, of whom some have moved.
fn people(count: usize, moved: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut csv =
        b"reference,full_name,email,billing.line1,billing.city,billing.country\n".to_vec();
    for n in 0..count {
        let city = if moved(n) { "Basel" } else { "Bern" };
        writeln!(csv, "r-{n},Person {n},P{n}@example.com,Way {n},{city},CH").unwrap();
    }
    csv
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nightly_import_writes_what_has_changed_and_nothing_else() {
    let place = Place::new().await;
    place.write("monday.csv", &people(1_000, |_| false));
    let said = place.import(&["monday.csv", "--on-conflict", "update"]);
    let counts = "1000 imported, 0 updated, 0 unchanged, 0 imported by an earlier run, 0 refused.";
    assert!(said.contains(counts), "{said}");
    let (before, entries) = (place.customers(), place.entries());
    // One per cent has moved, one is new, one says less than is known of it.
    let mut tuesday = people(1_000, |n| n % 100 == 7);
    tuesday.extend_from_slice(b"r-new,New,,,,\nr-5,,,,,\n");
    place.write("tuesday.csv", &tuesday);
    let update = ["tuesday.csv", "--on-conflict", "update", "--verdicts", "verdicts"];
    let dry = place.import(&[&update[..], &["--dry-run"]].concat());
    assert!(dry.contains("1 would be imported, 10 would be updated, 991 unchanged"), "{dry}");
    assert_eq!(place.entries(), entries, "a dry run writes nothing");
    let said = place.import(&update);
    assert!(said.contains("1 imported, 10 updated, 991 unchanged, 0 imported by an"), "{said}");
    // The import itself is in the trail, beside eleven changes.
    assert_eq!(place.entries(), entries + 12);
    let after = place.customers();
    for (before, after) in before.iter().zip(&after) {
        let n = before["reference"].as_str().unwrap()[2..].parse::<usize>().unwrap();
        let mut want = before.clone();
        if n % 100 == 7 {
            want["addresses"][0]["city"] = json!("Basel");
            want["addresses"][0]["version"] = json!(2);
            want["addresses"][0]["updated_at"] = after["addresses"][0]["updated_at"].clone();
        }
        for member in ["version", "updated_at"] {
            want[member] = after[member].clone();
        }
        assert_eq!(&want, after);
        assert_eq!(n % 100 == 7, before["updated_at"] != after["updated_at"], "{n}");
    }
    let verdicts = lines(&place.folder.path().join("verdicts"));
    assert_eq!(verdicts[7]["verdict"], "updated");
    assert_eq!(verdicts[7]["number"], before[7]["number"]);
    assert_eq!(verdicts[8]["verdict"], "unchanged");
    assert_eq!(verdicts[1_000]["verdict"], "imported");
    let again = place.import(&update);
    assert!(again.contains("0 imported, 0 updated, 1002 unchanged"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_find_their_customer_by_reference_number_or_e_mail() {
    let place = Place::new().await;
    place.write(
        "first.csv",
        b"reference,full_name,email\na,Ann,ann@example.com\nb,Ben,b@b.example\n",
    );
    place.import(&["first.csv"]);
    let numbers: Vec<i64> =
        place.customers().iter().map(|c| c["number"].as_i64().unwrap()).collect();
    let by = |field: &str, word: &str, name: &str, file: &str| {
        place.write(name, file.as_bytes());
        place.import(&[name, "--match", field, "--on-conflict", word])
    };
    // Skipped and refused rows change nothing.
    let said = by("reference", "skip", "skip.csv", "reference,full_name\na,Other\nc,Cat\n");
    assert!(said.contains("1 imported, 1 skipped, 0 imported by"), "{said}");
    let said = by("reference", "fail", "fail.csv", "reference,full_name\na,Other\n");
    assert!(said.contains("0 imported, 0 imported by an earlier run, 1 refused"), "{said}");
    let said = by("email", "fail", "mail.csv", "email,full_name\nANN@example.com,Other\n");
    assert!(said.contains("0 imported, 0 imported by an earlier run, 1 refused"), "{said}");
    let refused = &lines(&place.folder.path().join("mail.csv.refused.ndjson"))[0];
    assert_eq!(refused["reasons"][0]["reason"], "another customer has this email: customer 1");
    // An e-mail address is the same in whatever case; who has none is new.
    let mail = "email,full_name,reference\nANN@Example.com,Anna,a-2\n,Nobody,\n";
    let said = by("email", "update", "update.csv", mail);
    assert!(said.contains("1 imported, 1 updated, 0 unchanged"), "{said}");
    let said = by("email", "update", "update.csv", mail);
    assert!(said.contains("0 imported, 0 updated, 1 unchanged, 1 imported by an ear"), "{said}");
    // Two have it: which one is meant?
    by("reference", "fail", "twin.csv", "reference,email\ntwin,b@b.example\n");
    let said = by("email", "update", "two.csv", "email,full_name\nB@b.example,Which\n");
    assert!(said.contains("0 imported, 0 updated, 0 unchanged, 0 imported by an ea"), "{said}");
    let refused = &lines(&place.folder.path().join("two.csv.refused.ndjson"))[0];
    assert_eq!(refused["reasons"][0]["field"], "email");
    // A number names a customer who is there, or the row is refused.
    let file = format!("number,full_name\n{},Benno\n999999,Nobody\n,New\n", numbers[1]);
    let said = by("number", "update", "number.csv", &file);
    assert!(said.contains("1 imported, 1 updated, 0 unchanged, 0 imported by an"), "{said}");
    assert!(said.contains("1 refused"), "{said}");
    let names: Vec<String> = place
        .customers()
        .iter()
        .map(|c| format!("{} {}", c["reference"].as_str().unwrap_or("-"), c["full_name"]))
        .collect();
    let want =
        ["a-2 \"Anna\"", "b \"Benno\"", "c \"Cat\"", "- \"Nobody\"", "twin null", "- \"New\""];
    assert_eq!(names, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_changes_nothing_where_it_came_from() {
    let place = Place::new().await;
    let address = |purpose: &str, city: &str| {
        let line1 = "=1+1";
        json!({"purpose": purpose, "city": city, "line1": line1, "country": "CH"})
    };
    let people = [
        json!({"reference": "=r-1", "given_name": "Ann", "family_name": "Lee",
            "phone": "+41446681800", "metadata": {"a": {"b": 1}}, "balance": "-12.50",
            "addresses": [address("both", "Bern"), address("other", "Biel"),
                address("billing", "Thun")]}),
        json!({"full_name": "'Ben", "email": "b@example.com", "status": "blocked",
            "addresses": [address("shipping", "Bern"), address("shipping", "Basel")]}),
    ];
    let people: String = people.iter().map(|person| format!("{person}\n")).collect();
    place.write("people.ndjson", people.as_bytes());
    place.import(&["people.ndjson"]);
    let before = place.customers();
    for name in ["out.csv", "out.ndjson"] {
        place.run(&["export", "--space", "1", name]);
        let said = place.import(&[name, "--match", "number", "--on-conflict", "update"]);
        assert!(said.contains("0 imported, 0 updated, 2 unchanged"), "{name}: {said}");
    }
    assert_eq!(place.customers(), before);
    // Of a list the addresses that are not there yet are added, the others stay.
    let mut changed = before[1].clone();
    changed["addresses"] = json!([address("shipping", "Basel"), address("billing", "Chur")]);
    place.write("changed.ndjson", format!("{changed}\n").as_bytes());
    place.import(&["changed.ndjson", "--match", "number", "--on-conflict", "update"]);
    let after = place.customers();
    let cities: Vec<&Value> =
        after[1]["addresses"].as_array().unwrap().iter().map(|address| &address["city"]).collect();
    assert_eq!(cities, ["Bern", "Basel", "Chur"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rows_with_one_key_the_first_comes_first_and_two_imports_make_no_twins() {
    let place = Place::new().await;
    let mut file = b"reference,full_name,phone\n".to_vec();
    for n in 0..300 {
        writeln!(file, "r-{},Person {n},+4144668{:04}", n % 100, n).unwrap();
    }
    place.write("people.csv", &file);
    let args = ["import", "--space", "1", "people.csv", "--on-conflict", "update", "--refused"];
    let runs: Vec<_> = ["one", "two", "three"]
        .map(|name| {
            let mut command = place.command(&[&args[..], &[name]].concat());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .into_iter()
        .map(|run| run.wait_with_output().unwrap())
        .collect();
    for run in &runs {
        assert!(run.status.success(), "{}", text(&run.stderr));
        assert!(text(&run.stdout).contains(" 0 refused"), "{}", text(&run.stdout));
    }
    let customers = place.customers();
    assert_eq!(customers.len(), 100);
    for (n, customer) in customers.iter().enumerate() {
        let reference = customer["reference"].as_str().unwrap();
        let last = 200 + reference[2..].parse::<usize>().unwrap();
        assert_eq!(customer["full_name"], format!("Person {last}"), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_german_spreadsheet_imports_as_it_is() {
    let place = Place::new().await;
    let german = "reference;given_name;family_name;billing.line1;billing.city;Umsatz\r\n\
                  k-1;Jörg;Müßig;Käferstraße 5;Köln;1.234,50 €\r\n\
                  ;;;;;\r\n\
                  k-2;Zoë;\"Groß; Klein\";;Düsseldorf;\r\n";
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(german);
    place.write("Kunden.csv", &latin);
    let output = place.output(&["import", "--space", "1", "Kunden.csv"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert!(err.contains("CSV between ; (guessed), windows-1252 (guessed)"), "{err}");
    assert!(err.contains("Unknown columns, left out: Umsatz."), "{err}");
    assert!(err.contains("Known are: balance, billing.city, "), "{err}");
    assert!(out.contains("2 imported, 0 imported by an earlier run, 0 refused."), "{out}");
    let names = |customers: &[Value]| -> Vec<String> {
        let name = |c: &Value| format!("{} {}", c["given_name"], c["family_name"]);
        customers.iter().map(name).collect()
    };
    let customers = place.customers();
    assert_eq!(names(&customers), [r#""Jörg" "Müßig""#, r#""Zoë" "Groß; Klein""#]);
    assert_eq!(customers[0]["addresses"][0]["line1"], "Käferstraße 5");
    // Columns of any name, by standard input, and whoever knows better says so.
    let german = "Kundennummer|Straße|Ort\nk-1|Weg 1|Lodz (Łódź)\n";
    let (latin, _, _) = encoding_rs::ISO_8859_2.encode(german);
    let mut import = place.command(&["import", "--space", "1", "-", "--on-conflict", "update"]);
    import.args(["--delimiter", "|", "--encoding", "latin2", "--map", "Kundennummer=reference"]);
    import.args(["--map", "Straße=billing.line1", "--map", "Ort=billing.city", "--strict"]);
    let mut import =
        import.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(&latin).unwrap();
    let output = import.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("stdin: CSV between |, ISO-8859-2."));
    assert!(text(&output.stdout).contains("0 imported, 1 updated"), "{}", text(&output.stdout));
    let address = &place.customers()[0]["addresses"][0];
    assert_eq!((&address["line1"], &address["city"]), (&json!("Weg 1"), &json!("Lodz (Łódź)")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workbook_imports_with_the_values_of_its_formulas_and_its_dates() {
    use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
    let place = Place::new().await;
    let mut book = Workbook::new();
    let hidden = book.add_worksheet();
    hidden.set_hidden(true).write_string(0, 0, "nothing").unwrap();
    let sheet = book.add_worksheet().set_name("Kunden").unwrap();
    sheet.set_active(true);
    let header =
        ["Nr", "full_name", "billing.postal_code", "status", "status_until", "phone", "balance"];
    for (at, name) in (0..).zip(header) {
        sheet.write_string(2, at, name).unwrap();
    }
    let day = Format::new().set_num_format("dd.mm.yyyy");
    let moment = Format::new().set_num_format("dd.mm.yyyy hh:mm");
    let until = ExcelDateTime::parse_from_str("2031-02-03").unwrap();
    let hour = ExcelDateTime::parse_from_str("2031-02-03T04:05:06").unwrap();
    for (row, name) in [(3, "Jörg Müller"), (5, "Żaneta")] {
        sheet.write_number(row, 0, f64::from(row) + 1_000_000.0).unwrap();
        let name = Formula::new("=UPPER(\"x\")").set_result(name);
        sheet.write_formula(row, 1, name).unwrap();
        sheet.write_number(row, 2, 8_001.0).unwrap();
        sheet.write_string(row, 3, "locked").unwrap();
        sheet.write_string(row, 5, "'+41 44 668 18 00").unwrap();
        sheet.write_number(row, 6, 12.5).unwrap();
    }
    sheet.write_datetime_with_format(3, 4, until, &day).unwrap();
    sheet.write_datetime_with_format(5, 4, hour, &moment).unwrap();
    sheet.write_string(6, 0, "bad").unwrap();
    sheet.write_formula(6, 1, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
    book.save(place.folder.path().join("Kunden.xlsx")).unwrap();
    let args = ["import", "--space", "1", "Kunden.xlsx", "--map", "Nr=reference"];
    let output = place.output(&args);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert!(err.contains("Kunden.xlsx: XLSX, sheet Kunden."), "{err}");
    assert!(out.contains("2 imported, 0 imported by an earlier run, 1 refused."), "{out}");
    let refused = &lines(&place.folder.path().join("Kunden.xlsx.refused.ndjson"))[0];
    assert_eq!(
        (&refused["row"], &refused["reasons"][0]["field"]),
        (&json!(4), &json!("full_name"))
    );
    let customers = place.customers();
    for (customer, (reference, name, until)) in customers.iter().zip([
        ("1000003", "Jörg Müller", "2031-02-03T00:00:00Z"),
        ("1000005", "Żaneta", "2031-02-03T04:05:06Z"),
    ]) {
        assert_eq!(customer["reference"], reference);
        assert_eq!(customer["full_name"], name);
        assert_eq!(customer["addresses"][0]["postal_code"], "8001");
        assert_eq!(customer["phone"], "+41 44 668 18 00");
        assert_eq!(customer["balance"], "12.5");
        let said = customer["status_until"].as_str().unwrap().replace(".000000Z", "Z");
        assert_eq!(said, until);
    }
    // What is called a workbook and is none, is told so; so is a text by its content.
    place.write("none.xlsx", b"PK\x03\x04 and nothing else");
    let said = place.fail(&["import", "--space", "1", "none.xlsx"]);
    assert!(said.contains("no workbook that can be read"), "{said}");
    place.write("people", b"{\"full_name\": \"Nd\"}\n");
    place.import(&["people"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_import_ends_with_an_error_for_unknown_columns_and_refused_rows() {
    let place = Place::new().await;
    place.write("people.csv", b"full_name,emial,Umsatz\nAnn,a@example.com,1\n");
    let said = place.fail(&["import", "--space", "1", "people.csv", "--strict"]);
    let unknown = "unknown columns: emial (did you mean email?), Umsatz. Nothing was imported.";
    assert!(said.contains(unknown), "{said}");
    assert!(place.customers().is_empty());
    let args = ["people.csv", "--strict", "--map", "emial=email", "--map", "Umsatz="];
    let said = place.import(&args);
    assert!(said.contains("1 imported"), "{said}");
    place.write("people.csv", b"full_name,email\nBen,b@example.com\nCat,nope\n");
    let args = ["import", "--space", "1", "people.csv", "--strict"];
    let output = place.output(&args);
    assert!(!output.status.success());
    assert!(text(&output.stdout).contains("1 imported, 0 imported by an earlier run, 1 refused."));
    assert!(text(&output.stderr).contains("1 rows were refused"), "{}", text(&output.stderr));
    let refused = lines(&place.folder.path().join("people.csv.refused.ndjson"));
    assert_eq!(refused[0]["record"]["email"], "nope");
    for (args, said) in [
        (&["--map", "mail=email"][..], "it has no column mail"),
        (&["--map", "email=emial"], "no field is called emial; did you mean email?"),
        (&["--on-conflict", "merge"], "[possible values: update, skip, fail]"),
        (&["--match", "phone"], "[possible values: reference, number, email]"),
        (&["--delimiter", ";;"], "one ASCII character"),
        (&["--encoding", "klingon"], "a name such as utf-8"),
    ] {
        let told = place.fail(&[&["import", "--space", "1", "people.csv"], args].concat());
        assert!(told.contains(said), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_columns_are_bounded() {
    let place = Place::new().await;
    // A quotation mark that is never closed is no row of megabytes.
    let mut endless = b"full_name,description\nAnn,fine\nBen,\"".to_vec();
    endless.extend(std::iter::repeat_n(b'x', 4 << 20));
    place.write("endless.csv", &endless);
    let said = place.fail(&["import", "--space", "1", "endless.csv"]);
    assert!(said.contains("row 2 is longer than 1048576 bytes"), "{said}");
    assert_eq!(place.customers().len(), 1, "what came before is imported");
    let wide = vec!["x"; 1_001].join(",");
    place.write("wide.csv", wide.as_bytes());
    let said = place.fail(&["import", "--space", "1", "wide.csv"]);
    assert!(said.contains("more than 1000 columns"), "{said}");
    for empty in [&b""[..], b"\n\n"] {
        place.write("empty.csv", empty);
        let said = place.fail(&["import", "--space", "1", "empty.csv"]);
        assert!(said.contains("it has no header row"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_an_import_sees_its_rate_and_the_time_left() {
    let place = Place::new().await;
    place.write("people.csv", &people(1_500, |_| false));
    // A terminal of its own: nothing is drawn where nobody watches.
    let import = place.command(&["import", "--space", "1", "people.csv"]);
    let words = std::iter::once(import.get_program()).chain(import.get_args());
    let line = words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
    let mut watched = Command::new("script");
    watched.args(["-qec", &format!("stty cols 250; {line}"), "/dev/null"]);
    watched.current_dir(place.folder.path()).env("TERM", "xterm");
    watched.envs(import.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = watched.stdin(Stdio::null()).output().unwrap();
    let seen = text(&output.stdout);
    assert!(output.status.success(), "{seen}");
    assert!(seen.contains(" rows/s, ") && seen.contains(" left"), "{seen}");
    let unseen = place.output(&["import", "--space", "1", "people.csv"]);
    assert!(!text(&unseen.stderr).contains("rows/s"));
}
