//! What is said about two descriptions that differ.

use insta::assert_snapshot;
use strait_ipc::message::{Message, SCHEMA_BYTES, compare, tree};

use crate::types::{Fill, Kind, Node, Order, Side, Tick};

const TICK: &str = "Tick{px:f64@0,qty:u32@8,at:u32@12}#16/8";
const ORDER: &str = "Order{id:u64@0,legs:[Leg{qty:u32@0}#4/4]@8}#16/8";
const KIND: &str = "Kind<Market=0|Limit=1{px:f64}>#16/8";

fn difference(here: &str, there: &str) -> String {
    compare(here, there).map_or_else(|difference| difference.to_string(), |()| "none".into())
}

#[test]
fn equal_texts_do_not_differ() {
    for text in [Tick::SCHEMA, Fill::SCHEMA, Order::SCHEMA, Kind::SCHEMA, Node::SCHEMA] {
        assert_eq!(compare(text, text), Ok(()));
        assert!(tree::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn fields_that_differ_are_named() {
    let there = "Tick{px:f64@8,qty:u32@0,at:u32@4}#16/8";
    assert_snapshot!(difference(TICK, there), @"field `px` moved from offset 8 there to 0 here");
    let there = "Tick{px:u64@0,qty:u32@8,at:u32@12}#16/8";
    assert_snapshot!(difference(TICK, there), @"field `px` is `f64` here but `u64` there");
    let there = "Tick{px:f64@0,at:u32@8}#16/8";
    assert_snapshot!(difference(TICK, there), @"field `qty` is missing there");
    let there = "Tick{first:u64@0,px:f64@8,qty:u32@16,at:u32@20}#24/8";
    assert_snapshot!(difference(TICK, there), @"extra field `first` there");
    let there = "Tick{px:f64@0,qty:u32@8,at:u32@12}#32/16";
    assert_snapshot!(difference(TICK, there), @"the message takes 16 bytes aligned to 8 here but 32 bytes aligned to 16 there");
    let there = "Tick{px:f64#8/1@0,qty:u32@8,at:u32@12}#16/8";
    assert_snapshot!(difference(TICK, there), @"field `px` is `f64` here but `f64 (8 bytes aligned to 1)` there");
}

#[test]
fn paths_lead_into_nested_types() {
    let there = "Order{id:u64@0,legs:[Leg{qty:i32@0}#4/4]@8}#16/8";
    assert_snapshot!(difference(ORDER, there), @"field `legs.qty` is `u32` here but `i32` there");
    let there = "Order{id:u64@0,legs:[Leg{qty:u32@0,px:f32@4}#8/4]@8}#16/8";
    assert_snapshot!(difference(ORDER, there), @"extra field `legs.px` there");
    let there = "Order{id:u64@0,legs:[Part{qty:u32@0}#4/4]@8}#16/8";
    assert_snapshot!(difference(ORDER, there), @"field `legs` is `Leg` here but `Part` there");
    let there = "Order{id:u64@0,legs:[[Leg{qty:u32@0}#4/4];2]@8}#24/8";
    assert_snapshot!(difference(ORDER, there), @"field `legs` is `[Leg]` here but `[[Leg]; 2]` there");
    assert_snapshot!(difference(Node::SCHEMA, &Node::SCHEMA.replace('^', "u8")), @"field `children` is `Self` here but `u8` there");
}

#[test]
fn messages_and_variants_that_differ_are_named() {
    assert_snapshot!(difference(TICK, ORDER), @"the message is `Tick` here but `Order` there");
    assert_snapshot!(difference("u64", "[option((u8,box(str)));4]"), @"the message is `u64` here but `[option((u8, box(str))); 4]` there");
    let there = "Kind<Limit=0{px:f64}|Market=1>#16/8";
    assert_snapshot!(difference(KIND, there), @"variant `Market` is 0 here but 1 there");
    let there = "Kind<Market=0>#1/1";
    assert_snapshot!(difference(KIND, there), @"variant `Limit` is missing there");
    let there = "Kind<Market=0|Limit=1{px:f64}|Peg=2>#16/8";
    assert_snapshot!(difference(KIND, there), @"extra variant `Peg` there");
    let there = "Kind<Market=0|Limit=1{px:f32}>#8/4";
    assert_snapshot!(difference(KIND, there), @"field `Limit.px` is `f64` here but `f32` there");
    let there = "Side<Buy=1|Sell=2>#1/1";
    assert_snapshot!(difference(Side::SCHEMA, there), @"variant `Sell` is -1 here but 2 there");
}

#[test]
fn texts_nobody_writes_are_refused() {
    let deep = format!("{}u8{}", "[".repeat(1000), "]".repeat(1000));
    let long = format!("Tick{{px:{}@0}}#8/8", "f".repeat(SCHEMA_BYTES));
    for there in [
        "",
        "{",
        "Tick",
        "Tick{",
        "Tick{}#0/1",
        "Tick{px:f64@0}",
        "Tick{px:f64}#8/8",
        "Tick{px:f64@-1}#8/8",
        "Tick{px:f64@99999999999999999999}#8/8",
        "Tick{px:f64@0,}#8/8",
        "Tick{px:f64@0}#8/8 ",
        "Tick{\u{1b}[2J:f64@0}#8/8",
        "Tick<A>#1/1",
        "Tick<A=--1>#1/1",
        "()",
        "[u8;]",
        "option(",
        "#8/8",
        "^^",
        "λ{",
        &deep,
        &long,
        &TICK.replace("@8", "@08"),
    ] {
        let text = difference(TICK, there);
        assert!(text.starts_with("the schema there") || there == "Tick", "{there:.60}: {text}");
        assert!(!text.contains('\u{1b}'));
    }
    assert_snapshot!(difference(TICK, "Tick{px:f64@0"), @"the schema there cannot be read from byte 13 on: the segment is damaged or foreign");
}
