//! Test vectors V1 to V17 (dossier A.5). V12 to V17 are digests of APIs that are not served here
//! yet; they are computed in the test, so that the formulas are on record and known to be right.

use patron_monri::digest::{Signed, is_same};
use serde_json::json;
use sha2::Digest as _;

use crate::place::Merchant;

const KEY: &str = "qwert1234";
const TOKEN: &str = "7db11ea5d4a1af32421b564c79b946d1ead3daf0";
const SECONDS: &str = "1593457122";
const MILLIS: &str = "1593457122000";
const EXAMPLE: &str = r#"{"example":"1"}"#;
const B9: &str = concat!(
    r#"{"merchant_customer_id":"customer-id-1234","description":"Customer","#,
    r#""email":"email@email.com","name":"Test","metadata":{"key":"value"}}"#
);
const B10: &str = r#"{"city":"Čapljina","metadata":{"key":null}}"#;
const C12: &str = concat!(
    r#"{"id":214,"order_number":"abcdef","amount":54321,"currency":"EUR","#,
    r#""status":"approved","response_code":"0000"}"#
);

const V1: &str = "bd120476c656a8ec3ce5d6a150f17061d03a8e280b0fbba278a73a1506683056\
    2f73ce5536882c9222e265f1ff6c2df629173375b549cba5a9275b08686f32ea";
const V2: &str = "7d55345cbe370f99d34593319ac83e08dcf125cc552e027d4f7b1747c3171416\
    ed765230050caafb733876de1b4ac102dbfac2b2e4b88cbff428a311f8f879cf";
const V3: &str = "272106aca79b8d37967763c5f1bc456c776d7c5385de5acf1731d80b763ee178\
    d9686acd82d7015262af5c93548b7ea18bc5df9e0521bbcc48231bc7e5819554";
const V4: &str = "5043d352da598d5e54c6b6edda4bf043eef5e0dabd569b60728a23104d11f6bc\
    3f9c56cbea175838e926a27e763d750b6ba4b3044a11a3e2de873259acf67431";
const V5: &str = "56aa48eb520778bfa99faa9bc7fa499f6f3d97707a101335024d9f399400e646\
    5c31826308c630729371603053b02673abdd7d1ed13181eb45205947a4d597b3";
const V6: &str = "636528381ef7ebe28f7df7e625a7c53a51717abf47b6d700d5f4a3853510bf0f\
    818dde62cc4ebad1c18fb84c9e4dd6117c68bb10343152b05993e3968078882c";
const V7: &str = "0403fa9e040dcd93a8cd6746e0fe836b82e328bed4274d6de8a3a46a53079508\
    b73c17864c09efa40c5c8fe7ff72a14824b1cf7eb04b99adbdb4fa0581f5accf";
const V8: &str = "61e3f1029f71eb25497ba368dff370572147d4e3e5a6a42c3b23d8ed7b6a01cb\
    2c143937f037632ae4ca39e1170d932ba3b788ddc5a62dfd6a9981d4f1722bca";
const V9: &str = "acf283b14053f7a62d5809af6d4f575281ae54437c2a0b77f013a0ab36992304\
    33882092ad0a7eb3d82c279012be53fb8bd3c252da24ccee958f2939ebd10344";
const V10: &str = "2cfd01cfd53ef7ed9826ee61f36eca934035c457f582c2dcd8d394908504556c\
    2e1ef22e102a836e4234b59bccd0154c222722b2f6b080e454880499ccd7df7f";
const V11: &str = "6dea2b438b83507b4f909ce712a099ffa798427b2daff2f7bc9002fdaeb688ca\
    7bb2c91893d0ee35e4d44fb1e31a70f103473fe0376cf58eaa04c664c40a1291";

const LIST: &str = "/v2/customers?limit=50&offset=0";
const ONE: &str = "/v2/customers/4b281da4-d145-4233-b957-2018cf9aa0fb";
const BY_ID: &str = "/v2/merchants/customers/customer-id-1234";
const ENCODED: &str = "/v2/merchants/customers/a%2Fb%20c";
const METHODS: &str =
    "/v2/customers/4b281da4-d145-4233-b957-2018cf9aa0fb/payment-methods?limit=20&offset=0";

fn signed<'a>(timestamp: &'a str, body: &'a str) -> Signed<'a> {
    Signed {
        merchant_key: KEY.as_bytes(),
        timestamp,
        authenticity_token: TOKEN,
        body: body.as_bytes(),
    }
}

#[test]
fn v1_to_v11_are_computed_as_given() {
    for (vector, timestamp, fullpath, body, digest) in [
        ("V1", SECONDS, "/v2/payment/new", EXAMPLE, V1),
        ("V3", SECONDS, LIST, "", V3),
        ("V4", SECONDS, "/v2/customers", "", V4),
        ("V5", SECONDS, ONE, "", V5),
        ("V6", SECONDS, BY_ID, "", V6),
        ("V7", SECONDS, ENCODED, "", V7),
        ("V8", SECONDS, METHODS, "", V8),
        ("V9", SECONDS, "/v2/customers", B9, V9),
        ("V10", SECONDS, ONE, B10, V10),
        ("V11", MILLIS, "/v2/customers", "", V11),
    ] {
        assert_eq!(signed(timestamp, body).with_path(fullpath), digest, "{vector}");
    }
    assert_eq!(signed(SECONDS, EXAMPLE).without_path(), V2, "V2");
    assert_eq!(EXAMPLE.len(), 15);
    assert_eq!(B9.len(), 135);
    assert_eq!(B10.len(), 44);
}

#[test]
fn digests_are_compared_without_case_and_as_a_whole() {
    assert!(is_same(V1, V1));
    assert!(is_same(&V1.to_uppercase(), V1));
    assert!(!is_same(&V1[..127], V1));
    assert!(!is_same(&format!("{V1}0"), V1));
    assert!(!is_same("", V1));
    assert!(!is_same(V2, V1));
}

/// The sandbox's keys are those of the documentation, so the vectors are live requests.
#[tokio::test]
async fn v3_to_v11_sign_in() {
    let merchant = Merchant::new().await;
    let header = |timestamp: &str, digest: &str| format!("WP3-v2.1 {TOKEN} {timestamp} {digest}");
    let slashed = merchant.create(json!({"merchant_customer_id": "a/b c"})).await;
    for (vector, timestamp, method, target, body, digest, code) in [
        ("V3", SECONDS, "GET", LIST, "", V3, 200),
        ("V4 for V3", SECONDS, "GET", LIST, "", V4, 401),
        ("V4", SECONDS, "GET", "/v2/customers", "", V4, 200),
        ("V5", SECONDS, "GET", ONE, "", V5, 404),
        ("V5", SECONDS, "DELETE", ONE, "", V5, 404),
        ("V6", SECONDS, "GET", BY_ID, "", V6, 404),
        ("V7", SECONDS, "GET", ENCODED, "", V7, 200),
        ("V8", SECONDS, "GET", METHODS, "", V8, 404),
        ("V9", SECONDS, "POST", "/v2/customers", B9, V9, 200),
        ("V6 after V9", SECONDS, "GET", BY_ID, "", V6, 200),
        ("V10", SECONDS, "POST", ONE, B10, V10, 404),
        ("V11", MILLIS, "GET", "/v2/customers", "", V11, 200),
        ("V11 with other timestamp", SECONDS, "GET", "/v2/customers", "", V11, 401),
    ] {
        let answer = merchant.authorized(&header(timestamp, digest), method, target, body).await;
        assert_eq!(answer.status, code, "{vector}: {}", answer.text());
        if vector == "V7" {
            assert_eq!(answer.json(), slashed);
        }
    }
}

fn sha512(parts: &[&str]) -> String {
    hex::encode(sha2::Sha512::digest(parts.concat()))
}

fn sha1(parts: &[&str]) -> String {
    hex::encode(sha1::Sha1::digest(parts.concat()))
}

#[test]
fn v12_to_v17_follow_the_documented_formulas() {
    let order = ["abcdef", "54321", "EUR"];
    let with = |key: &'static str| [&[key], &order[..]].concat();
    assert_eq!(
        sha512(&[KEY, C12]),
        "c0fd7809bb19df798f422af0da1c6bde9d1cc26fd8a235aa5412c406456f5aa8\
    c188b092fc1af52f96a3caa59a6d2244be7ca6214d02a8b3c3ed4fe111d14ffa",
        "V12"
    );
    assert_eq!(sha1(&[KEY, "abcdef"]), "fc7072ec1f83ec3191c2e83ce6ebd4ed4bef3bd1", "V13");
    assert_eq!(sha1(&with(KEY)), "08ebac06371457673ac4a4455449bece37d06956", "V14");
    assert_eq!(sha1(&with("qwert123")), "16e943d2b84546ce4271de51679abc3bf1eb163b", "V14b");
    assert_eq!(
        sha512(&with(KEY)),
        "2ac1a71ae7cd27e4b6f5ec5f71b9f8f8e218ee232af09a4db030e15449cc5c8e\
    f43bc816ca12b3713668465cca26b84818efd643f388a3c257643de86fb54895",
        "V15"
    );
    assert_eq!(
        sha512(&with("2345klj")),
        "f71b8c1560bd7511ba2f0307b3823c06dd39042cd77480543e3d7bf9f3eefa6d\
    ebed252979ba8edc7a82d9f111d90f8e31c1c7ab5af39796b26e59a0b2d7cf98",
        "V15b"
    );
    assert_eq!(
        sha512(&[KEY, "1234567", SECONDS]),
        "c76211ebfb6a8eb43bd7cedce6d1b8c17730ddc630987b1aeacefec9c61a3f12\
    0a3eb264c120dc6db64ddadaecc76170a21d89101c04c38f60c0fbb2a08ae530",
        "V16"
    );
    let url = "https://shop.example/ok?order_number=abcdef&response_code=0000";
    assert_eq!(
        sha512(&[KEY, url]),
        "e2b8a25615bdfc05596edc9caffb20973e1d667d6125ac2289ee0551f121b3ad\
    e774d9a3c03daf772011577916469865faa553eb434fc43ad0ff9756ede18aaf",
        "V17"
    );
}
