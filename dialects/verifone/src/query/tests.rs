//! The grammar by its samples (dossier §8.4).

use super::*;

fn comparison(selector: &str, operator: Operator, values: &[&str]) -> Expression {
    let values = values.iter().map(|v| (*v).to_owned()).collect();
    Expression::Comparison(Comparison { selector: selector.into(), operator, values, place: 0 })
}

/// Without places, which the shape does not depend on.
fn shape(expression: Expression) -> Expression {
    match expression {
        Expression::Any(all) => Expression::Any(all.into_iter().map(shape).collect()),
        Expression::All(all) => Expression::All(all.into_iter().map(shape).collect()),
        Expression::Comparison(c) => Expression::Comparison(Comparison { place: 0, ..c }),
    }
}

fn read(text: &str) -> Expression {
    shape(parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}")))
}

fn fault(text: &str) -> String {
    parse(text).expect_err(text).0
}

#[test]
fn reads_every_operator() {
    use Operator::*;
    for (text, operator) in [
        ("a==x", Equal),
        ("a!=x", NotEqual),
        ("a=in=x", In),
        ("a=out=x", Out),
        ("a=regex=x", Regex),
        ("a=gt=x", Greater),
        ("a>x", Greater),
        ("a=ge=x", AtLeast),
        ("a>=x", AtLeast),
        ("a=lt=x", Less),
        ("a<x", Less),
        ("a=le=x", AtMost),
        ("a<=x", AtMost),
    ] {
        assert_eq!(read(text), comparison("a", operator, &["x"]), "{text}");
    }
}

#[test]
fn reads_the_documented_samples() {
    use Operator::*;
    let jane = comparison("email_address", Equal, &["jane@example.com"]);
    assert_eq!(read("email_address==jane@example.com"), jane);
    let anna = comparison("billing.first_name", Equal, &["Anna Maria"]);
    assert_eq!(read("billing.first_name=='Anna Maria'"), anna);
    let countries = comparison("billing.country_code", In, &["DE", "AT", "CH"]);
    assert_eq!(read("billing.country_code=in=(DE,AT,CH)"), countries);
    assert_eq!(
        read("company_name=regex='^Acme.*'"),
        comparison("company_name", Regex, &["^Acme.*"])
    );
    let since = comparison("created_at", AtLeast, &["2025-01-01T00:00:00Z"]);
    assert_eq!(read("created_at=ge=2025-01-01T00:00:00Z"), since);
    assert_eq!(read("id==123"), comparison("id", Equal, &["123"]));
}

#[test]
fn and_binds_tighter_than_or_and_groups_bind_tightest() {
    let [a, b, c] = ["a", "b", "c"].map(|name| comparison(name, Operator::Equal, &["1"]));
    let and = |x: &Expression, y: &Expression| Expression::All(vec![x.clone(), y.clone()]);
    let or = |x: &Expression, y: &Expression| Expression::Any(vec![x.clone(), y.clone()]);
    assert_eq!(read("a==1;b==1,c==1"), or(&and(&a, &b), &c));
    assert_eq!(read("a==1,b==1;c==1"), or(&a, &and(&b, &c)));
    assert_eq!(read("a==1;(b==1,c==1)"), and(&a, &or(&b, &c)));
    assert_eq!(read("a==1 and b==1 or c==1"), or(&and(&a, &b), &c));
    assert_eq!(read("a==1  and  (b==1 or c==1)"), and(&a, &or(&b, &c)));
    assert_eq!(read("((a==1))"), a);
    let three = Expression::Any(vec![a.clone(), b.clone(), c.clone()]);
    assert_eq!(read("a==1,b==1,c==1"), three);
}

#[test]
fn spaces_quotes_and_escapes() {
    use Operator::*;
    assert_eq!(read("  a == x ; b =in= ( 1 , 2 )  "), {
        Expression::All(vec![comparison("a", Equal, &["x"]), comparison("b", In, &["1", "2"])])
    });
    assert_eq!(read(r#"a=="x \"y\" \\ z'""#), comparison("a", Equal, &[r#"x "y" \ z'"#]));
    assert_eq!(read(r"a=='it\'s, (here); or = there'"), {
        comparison("a", Equal, &["it's, (here); or = there"])
    });
    assert_eq!(read(r"a==x\y"), comparison("a", Equal, &[r"x\y"]), "no escape outside quotes");
    assert_eq!(read("a==''"), comparison("a", Equal, &[""]));
    assert_eq!(read("a==(x)"), comparison("a", Equal, &["x"]));
    assert_eq!(read("a==*x*"), comparison("a", Equal, &["*x*"]));
    assert_eq!(read("a==or,b==and"), {
        Expression::Any(vec![comparison("a", Equal, &["or"]), comparison("b", Equal, &["and"])])
    });
}

#[test]
fn refuses_everything_else_and_says_where() {
    for bad in [
        "",
        " ",
        "a",
        "a=",
        "a=x",
        "a==",
        "==x",
        "title==Dr,",
        ",a==1",
        "a==1;",
        "a==1;;b==2",
        "(a==1",
        "a==1)",
        "()",
        "a==x y",
        "a=='x",
        "a==\"x\\",
        "a==()",
        "a=in=(1,",
        "a=in=(1,)",
        "a=in=(1 2)",
        "a==(1,2)",
        "a=gt=(1,2)",
        "a=foo=1",
        "a=IN=(1)",
        "a~1",
        "a!1",
        "a=!1",
        "a==1 b==2",
        "a==1or b==2",
        "a==1 and",
        "a==1 and(b==2)",
        "a b==1",
        "'a'==1",
        "a===1",
        "a=>1",
        "a==x'y'",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert_eq!(fault("title==Dr,"), "a selector is expected at character 11");
    assert_eq!(fault("a=foo=1"), "the operator at character 2 is not known");
    assert_eq!(fault("ž=='x"), "the quote at character 4 is not closed");
}

#[test]
fn is_bounded() {
    let nested = |depth: usize| format!("{}a==1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
    let many = |count: usize| vec!["a==1"; count].join(",");
    assert!(parse(&many(COMPARISONS_MAX)).is_ok());
    assert!(parse(&many(COMPARISONS_MAX + 1)).is_err());
    let list = |count: usize| format!("a=in=({})", vec!["1"; count].join(","));
    assert!(parse(&list(VALUES_MAX)).is_ok());
    assert!(parse(&list(VALUES_MAX + 1)).is_err());
    assert!(parse(&format!("{};{}", list(VALUES_MAX / 2), list(VALUES_MAX / 2))).is_ok());
    assert!(parse(&format!("{};{}", list(VALUES_MAX), list(1))).is_err());
    assert!(parse(&format!("a=={}", "x".repeat(CHARS_MAX - 3))).is_ok());
    assert!(parse(&format!("a=={}", "x".repeat(CHARS_MAX - 2))).is_err());
}

proptest::proptest! {
    #[test]
    fn never_panics(text in ".{0,80}") {
        let _outcome = parse(&text);
    }

    #[test]
    fn quoting_keeps_every_value(value in ".{0,30}") {
        let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
        let read = shape(parse(&format!("a=='{quoted}'")).expect("well formed"));
        proptest::prop_assert_eq!(read, comparison("a", Operator::Equal, &[&value]));
    }
}
