use super::*;
use crate::registry::Value;
use proptest::prelude::*;

/// A filter as a test makes it, and as the slowest matcher knows it.
#[derive(Clone, Debug)]
enum Naive {
    All(Vec<Naive>),
    Any(Vec<Naive>),
    Not(Box<Naive>),
    Clause {
        key: String,
        sign: &'static str,
        value: String,
    },
    /// `None` is a `*`.
    Pattern {
        key: String,
        pattern: Vec<Option<char>>,
    },
}

impl Naive {
    fn text(&self, hexadecimal: bool) -> String {
        let list = |nodes: &[Naive]| nodes.iter().map(|node| node.text(hexadecimal)).collect();
        let escape = |char: char| match char {
            '(' | ')' | '*' | '\\' if hexadecimal => format!("\\{:02x}", u32::from(char)),
            '(' | ')' | '*' | '\\' => format!("\\{char}"),
            _ => char.to_string(),
        };
        match self {
            Self::All(nodes) => format!("(& {} )", {
                let list: String = list(nodes);
                list
            }),
            Self::Any(nodes) => format!("( |{})", {
                let list: String = list(nodes);
                list
            }),
            Self::Not(node) => format!("(!{})", node.text(hexadecimal)),
            Self::Clause { key, sign, value } => {
                format!("({key}{sign}{})", value.chars().map(escape).collect::<String>())
            }
            Self::Pattern { key, pattern } => {
                let pattern = pattern.iter().map(|char| char.map_or("*".to_owned(), escape));
                format!("({key}={})", pattern.collect::<String>())
            }
        }
    }

    fn matches(&self, properties: &Properties) -> bool {
        let value_of = |key: &str| {
            let mut entries = properties.iter();
            entries.find(|(other, _)| other.to_lowercase() == key.to_lowercase()).map(|(_, v)| v)
        };
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(properties)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(properties)),
            Self::Not(node) => !node.matches(properties),
            Self::Clause { key, sign, value: literal } => value_of(key)
                .is_some_and(|value| singles(value).iter().any(|one| compare(one, sign, literal))),
            Self::Pattern { key, pattern } => value_of(key).is_some_and(|value| {
                let is_star = |char: &Option<char>| char.is_none();
                pattern.iter().all(is_star) && !pattern.is_empty()
                    || singles(value).iter().any(|one| match one {
                        Value::Text(text) => fits(&text.chars().collect::<Vec<_>>(), pattern),
                        _ => {
                            !pattern.iter().any(is_star) && {
                                let literal: String = pattern.iter().flatten().collect();
                                compare(one, "=", &literal)
                            }
                        }
                    })
            }),
        }
    }
}

fn singles(value: &Value) -> Vec<Value> {
    match value {
        Value::Integers(values) => values.iter().copied().map(Value::Integer).collect(),
        Value::Floats(values) => values.iter().copied().map(Value::Float).collect(),
        Value::Bools(values) => values.iter().copied().map(Value::Bool).collect(),
        Value::Texts(values) => values.iter().cloned().map(Value::Text).collect(),
        single => vec![single.clone()],
    }
}

fn compare(value: &Value, sign: &str, literal: &str) -> bool {
    let bare = literal.trim();
    let by = |order: Option<std::cmp::Ordering>| match sign {
        ">=" => order.is_some_and(|order| order.is_ge()),
        "<=" => order.is_some_and(|order| order.is_le()),
        _ => order.is_some_and(|order| order.is_eq()),
    };
    let squeeze = |text: &str| text.to_lowercase().split_whitespace().collect::<String>();
    match value {
        Value::Integer(value) => by(bare.parse::<i64>().ok().map(|literal| value.cmp(&literal))),
        Value::Float(value) => {
            by(bare.parse::<f64>().ok().and_then(|literal| value.partial_cmp(&literal)))
        }
        Value::Bool(value) => bare.to_lowercase() == value.to_string(),
        Value::Text(value) if sign == "~=" => squeeze(value) == squeeze(literal),
        Value::Text(value) => by(Some(value.as_str().cmp(literal))),
        list => panic!("{list:?} is no single value"),
    }
}

/// By trying everything.
fn fits(text: &[char], pattern: &[Option<char>]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [None, rest @ ..] => (0..=text.len()).any(|skipped| fits(&text[skipped..], rest)),
        [Some(char), rest @ ..] => text.first() == Some(char) && fits(&text[1..], rest),
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[abA *()\\\\]{0,4}", "-?[0-2]{1,2}", "[ ]?(TRUE|false|1.5|2.0|1e0)[ ]?"]
}

fn values() -> impl Strategy<Value = Value> {
    let floats = prop_oneof![Just(1.5), Just(-0.0), Just(1.0), Just(2.0), Just(f64::NAN)];
    prop_oneof![
        (-2..22_i64).prop_map(Value::Integer),
        floats.clone().prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
        texts().prop_map(Value::Text),
        proptest::collection::vec(-2..22_i64, 0..3).prop_map(Value::Integers),
        proptest::collection::vec(floats, 0..3).prop_map(Value::Floats),
        proptest::collection::vec(any::<bool>(), 0..3).prop_map(Value::Bools),
        proptest::collection::vec(texts(), 0..3).prop_map(Value::Texts),
    ]
}

fn properties() -> impl Strategy<Value = Properties> {
    proptest::collection::vec(("[abcABC]", values()), 0..5).prop_map(|entries| {
        let mut properties = Properties::new();
        for (key, value) in entries {
            properties.set(&key, value).expect("a few of them");
        }
        properties
    })
}

fn naive() -> impl Strategy<Value = Naive> {
    let sign = prop_oneof![Just("="), Just("~="), Just(">="), Just("<=")];
    let clause = ("[abcABC]", sign, texts()).prop_map(|(key, sign, value)| Naive::Clause {
        key,
        sign,
        value,
    });
    let char = prop_oneof![Just(None), Just(Some('a')), Just(Some('b')), Just(Some('*'))];
    let pattern = ("[abcABC]", proptest::collection::vec(char, 0..6))
        .prop_map(|(key, pattern)| Naive::Pattern { key, pattern });
    prop_oneof![clause, pattern].prop_recursive(3, 12, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            list.clone().prop_map(Naive::All),
            list.prop_map(Naive::Any),
            inner.prop_map(|node| Naive::Not(Box::new(node))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn they_match_what_the_slowest_matcher_matches(
        naive in naive(),
        properties in properties(),
        hexadecimal in any::<bool>(),
    ) {
        let text = naive.text(hexadecimal);
        let filter: Filter = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(filter.matches(&properties), naive.matches(&properties), "{}", text);
        let again = filter.to_string().parse::<Filter>();
        prop_assert_eq!(again.as_ref(), Ok(&filter));
        // What an index would find has all matches among it.
        if filter.matches(&properties) {
            let mut known = Vec::new();
            for (key, value) in properties.keys() {
                value.any(|scalar| {
                    known.push(term_of(key.hash(), scalar));
                    false
                });
            }
            prop_assert!(filter.terms().iter().all(|term| known.contains(term)), "{}", text);
        }
    }

    /// Texts of what filters are made of: parsed or refused, and printed as something equal.
    #[test]
    fn any_text_is_parsed_or_refused(text in "[()&|!=~<>*\\\\a2 ]{0,24}") {
        if let Ok(filter) = text.parse::<Filter>() {
            prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
        }
    }
}

#[track_caller]
fn refused(text: &str, position: usize, expected: &str) {
    let error = text.parse::<Filter>().unwrap_err();
    assert_eq!((error.position, error.expected), (position, expected), "{text}: {error}");
}

#[test]
fn errors_say_where_and_what() {
    refused("", 0, "`(`");
    refused("a=1", 0, "`(`");
    refused("()", 1, "a key, or one of `& | !`");
    refused("(a)", 2, "`=`, `~=`, `>=` or `<=`");
    refused("(a>1)", 3, "`=`");
    refused("(a=1", 4, "`)`");
    refused("(a=1))", 5, "the end");
    refused("(&)", 2, "`(`");
    refused("(&(a=1)", 7, "another `(` or the `)` of the list");
    refused("(!(a=1)(b=2))", 7, "the `)` after what is negated");
    refused("(a=b(c)", 4, "`)`, or `(` written as `\\(`");
    refused("(a=\\g)", 4, "one of `( ) * \\` or two hexadecimal digits");
    refused("(a=\\ff)", 3, "a value that is UTF-8 once its escapes are taken for bytes");
    refused("(a>=1*)", 5, "`\\*` (a bare one is for `=` alone)");
    let message = "(a=1) é".parse::<Filter>().unwrap_err().to_string();
    assert_eq!(message, "at byte 6 of the filter, the end was expected, not `é`");
}

#[test]
fn escapes_are_understood_in_both_spellings() {
    let parse = |text: &str| text.parse::<Filter>().unwrap();
    assert_eq!(parse(r"(a=\28\2A\29\5c)"), parse(r"(a=\(\*\)\\)"));
    assert_eq!(parse(r"(a=\c3\a9*)"), parse("(a=é*)"));
    assert_eq!(parse(r"(a=\2a*)").to_string(), r"(a=\**)");
}

/// Nesting without end costs no stack, and a pattern that would make others try everything ends.
#[test]
fn hostile_filters_are_harmless() {
    let deep = "(!".repeat(100_000);
    refused(&deep, 2 * MAX_DEPTH, "no filter nested so deep");
    let deepest = format!("{}(a=1){}", "(!".repeat(MAX_DEPTH - 1), ")".repeat(MAX_DEPTH - 1));
    assert!(deepest.parse::<Filter>().is_ok());

    let pattern: Filter = format!("(a={}b)", "a*".repeat(100)).parse().unwrap();
    let text = "a".repeat(10_000);
    assert!(!pattern.matches(&crate::props! { "a" => text.as_str() }));
    let there = crate::props! { "a" => format!("{text}b") };
    assert!(pattern.matches(&there));
}
