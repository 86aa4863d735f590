//! Every operation of the customer family is served, and the description names each.

use patron_payabli::DIALECT;

fn wanted() -> Vec<(String, String)> {
    include_str!("operations.tsv")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut cells = line.split('\t');
            let mut cell = || cells.next().unwrap().to_owned();
            (cell(), cell())
        })
        .collect()
}

#[test]
fn serves_the_whole_customer_family() {
    let served: Vec<(String, String)> = (DIALECT.operations)()
        .iter()
        .map(|operation| (operation.method.to_string(), operation.path.to_owned()))
        .collect();
    let wanted = wanted();
    assert!(wanted.len() >= 15, "{}", wanted.len());
    for (method, path) in &wanted {
        let path = format!("/api{path}");
        assert!(served.contains(&(method.clone(), path.clone())), "{method} {path}");
    }
    assert_eq!(served.len(), wanted.len(), "an operation is missing in operations.tsv");
}

#[test]
fn describes_every_operation() {
    let document = patron_gateway::openapi::document(&DIALECT, "1");
    for operation in (DIALECT.operations)() {
        let method = operation.method.as_str().to_ascii_lowercase();
        let described = &document["paths"][operation.path][method];
        assert_eq!(described["operationId"], operation.id);
    }
}
