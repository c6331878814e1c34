use super::*;
use proptest::prelude::*;

fn values() -> impl Strategy<Value = Value> {
    // Not NaN, which is not equal to itself.
    let float = any::<f64>().prop_filter("a number", |float| !float.is_nan());
    let list = 0..4_usize;
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        float.clone().prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
        ".{0,8}".prop_map(Value::Text),
        proptest::collection::vec(any::<i64>(), list.clone()).prop_map(Value::Integers),
        proptest::collection::vec(float, list.clone()).prop_map(Value::Floats),
        proptest::collection::vec(any::<bool>(), list.clone()).prop_map(Value::Bools),
        proptest::collection::vec(".{0,8}", list).prop_map(Value::Texts),
    ]
}

fn entries() -> impl Strategy<Value = Vec<(String, Value)>> {
    // Few letters in both cases, so that keys meet.
    proptest::collection::vec(("[abAB]{1,4}", values()), 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// As a list would hold them that is searched for each key.
    #[test]
    fn they_are_found_as_in_a_list(entries in entries()) {
        let mut properties = Properties::new();
        let mut list: Vec<(String, Value)> = Vec::new();
        for (key, value) in entries {
            let known = list.iter().any(|(other, _)| other.eq_ignore_ascii_case(&key));
            prop_assert_eq!(properties.insert(&key, value.clone()).is_err(), known);
            if !known {
                list.push((key, value));
            }
        }
        prop_assert!(properties.iter().eq(list.iter().map(|(key, value)| (key.as_str(), value))));
        for (key, value) in &list {
            prop_assert_eq!(properties.get(&key.to_uppercase()), Some(value));
        }
        prop_assert_eq!(properties.get("c"), None);
    }

    #[test]
    fn bytes_give_the_same_back(entries in entries()) {
        let mut properties = Properties::new();
        for (key, value) in entries {
            let _ = properties.set(&key, value);
        }
        let bytes = properties.to_bytes();
        prop_assert_eq!(bytes.len(), bytes::HEAD + properties.bytes);
        prop_assert_eq!(Properties::from_bytes(&bytes), Ok(properties));
        for short in 0..bytes.len() {
            prop_assert!(Properties::from_bytes(&bytes[..short]).is_err());
        }
    }

    /// Whatever is read from any bytes is written as those bytes.
    #[test]
    fn hostile_bytes_are_refused_or_harmless(
        entries in entries(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut properties = Properties::new();
        for (key, value) in entries {
            let _ = properties.set(&key, value);
        }
        let mut bytes = properties.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Properties::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }
}

#[test]
fn a_key_in_another_case_is_the_same() {
    let mut properties = props! { "Venue" => "X" };
    let refused = properties.insert("VENUE", "Y").unwrap_err();
    let (key, present) = ("VENUE".to_owned(), "Venue".to_owned());
    assert_eq!(refused, PropertyError::Duplicate { key, present });
    assert_eq!(properties.set("VENUE", "Y"), Ok(Some("X".into())));
    assert_eq!(properties.to_string(), "Venue=Y");
}

#[test]
fn what_no_filter_could_name_is_no_key() {
    for key in ["", "a=b", "(a", " a", "a ", "!a", "a*", "a\n", &"a".repeat(256)] {
        let refused = Properties::new().insert(key, 1).unwrap_err();
        assert!(matches!(refused, PropertyError::Key { .. }), "{key:?}");
    }
    assert!(Properties::new().insert(&"a".repeat(255), 1).is_ok());
}

#[test]
fn there_is_an_end_to_what_can_be_said() {
    let mut properties = Properties::new();
    let room = MAX_BYTES - bytes::HEAD - "1a".len() - "k1234".len();
    let refused = properties.insert("a", "x".repeat(room + 1)).unwrap_err();
    assert_eq!(refused, PropertyError::TooLong { key: "a".to_owned(), bytes: MAX_BYTES + 1 });
    assert_eq!(properties.insert("a", "x".repeat(room)), Ok(()));
    assert_eq!(properties.to_bytes().len(), MAX_BYTES);
    assert!(properties.set("b", true).is_err());
    assert_eq!(properties.set("a", 7), Ok(Some(Value::Text("x".repeat(room)))));
    assert_eq!(properties.set("b", true), Ok(None));
}

/// A count of four thousand million elements, with nothing behind it.
#[test]
fn a_count_reserves_nothing() {
    let bytes = [1, 0, 1, b'a', 4, 0xff, 0xff, 0xff, 0xff];
    let damaged = PropertyError::Damaged { at: 9, expected: "an integer" };
    assert_eq!(Properties::from_bytes(&bytes), Err(damaged));
}
