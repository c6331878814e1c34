//! Schema texts, fingerprints and the flags that follow from a type.

use insta::assert_snapshot;
use strait_ipc::message::{Fingerprint, Message, Schema, type_name};

use crate::types::{Fill, Id, Kind, Node, Order, Padded, Pair, Side, Stamped, Tick};

#[test]
fn texts_are_canonical() {
    assert_snapshot!(Side::SCHEMA, @"Side<Buy=1|Sell=-1>#1/1");
    assert_snapshot!(Id::SCHEMA, @"Id{0:u64@0}#8/8");
    assert_snapshot!(Tick::SCHEMA, @"Tick{price:f64@0,size:u64@8,levels:[u32;8]@16}#48/8");
    assert_snapshot!(Fill::SCHEMA, @"Fill{tick:Tick{price:f64@0,size:u64@8,levels:[u32;8]@16}#48/8@0,id:Id{0:u64@0}#8/8@48,side:Side<Buy=1|Sell=-1>#1/1@56,last:bool@57,reserved:[u8;2]@58,venue:char@60}#64/8");
    assert_snapshot!(Kind::SCHEMA, @"Kind<Market=0|Limit=1{price:f64,post_only:bool}|Peg=2{0:Id{0:u64@0}#8/8,1:option(f32)}>#24/8");
    assert_snapshot!(Order::SCHEMA, @"Order{id:u64@0,symbol:string@8,kind:Kind<Market=0|Limit=1{price:f64,post_only:bool}|Peg=2{0:Id{0:u64@0}#8/8,1:option(f32)}>#24/8@16,side:Side<Buy=1|Sell=-1>#1/1@40,legs:[Leg{symbol:string@0,quantity:u32@8}#12/4]@44,tags:[[string]]@52,note:option(str)@60,parent:option(box(Id{0:u64@0}#8/8))@72,span:(u32,f64)@80,fills:[Tick{price:f64@0,size:u64@8,levels:[u32;8]@16}#48/8]@96,type:[u16;3]@104}#112/8");
    assert_snapshot!(Node::SCHEMA, @"Node{value:u32@0,children:[^]@4,next:option(box(^))@12}#20/4");
    assert_snapshot!(Stamped::<Side, 3>::SCHEMA, @"Stamped{at:u64@0,values:[Side<Buy=1|Sell=-1>#1/1;3]@8}#16/8");
    assert_snapshot!(<Vec<(u8, Option<Box<str>>)>>::SCHEMA, @"[(u8,option(str))]");
}

#[test]
fn a_fingerprint_is_stable() {
    assert_snapshot!(Tick::FINGERPRINT, @"3510295d5ce7");
    assert_snapshot!(format!("{:?}", Tick::FINGERPRINT), @"3510295d5ce72d70b72ef13e86aae80a");
    // Published values of 128-bit FNV-1a.
    assert_eq!(Fingerprint::of("").bits(), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
    assert_eq!(Fingerprint::of("a").bits(), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
}

#[test]
fn names_lead_the_text() {
    assert_eq!(type_name(Order::SCHEMA), "Order");
    assert_eq!(type_name(Side::SCHEMA), "Side");
    assert_eq!(type_name(u64::SCHEMA), "u64");
    assert_eq!(type_name(<Vec<u8>>::SCHEMA), "unnamed");
    assert_eq!(type_name("\u{1b}[31mred"), "unnamed");
}

#[test]
fn copying_and_checking_follow_from_the_type() {
    let flags = |plain, any_bits| (plain, any_bits);
    assert_eq!(flags(Tick::PLAIN, Tick::ANY_BITS), (true, true));
    assert_eq!(flags(Id::PLAIN, Id::ANY_BITS), (true, true));
    assert_eq!(flags(u64::PLAIN, u64::ANY_BITS), (true, true));
    assert_eq!(flags(Fill::PLAIN, Fill::ANY_BITS), (true, false));
    assert_eq!(flags(Side::PLAIN, Side::ANY_BITS), (true, false));
    // rkyv finds out by itself that this archive is the value.
    assert_eq!(flags(Pair::PLAIN, Pair::ANY_BITS), (true, true));
    // Its padding must not leave the process.
    assert_eq!(flags(Padded::PLAIN, Padded::ANY_BITS), (false, true));
    assert_eq!(flags(Order::PLAIN, Order::ANY_BITS), (false, false));
    assert_eq!(flags(Kind::PLAIN, Kind::ANY_BITS), (false, false));
}

/// A message named `Tick`, changed in one way, in a module of its own.
macro_rules! changed {
    ($module:ident, $($definition:tt)*) => {
        mod $module {
            #[derive(Clone, Copy, strait_macros::Message)]
            #[message(crate = strait_ipc)]
            #[repr(C)]
            pub(crate) struct $($definition)*
        }
    };
}

changed! { base, Tick { price: f64, size: u64 } }
changed! { same, Tick { price: f64, size: u64 } }
changed! { renamed, Tock { price: f64, size: u64 } }
changed! { renamed_field, Tick { px: f64, size: u64 } }
changed! { retyped, Tick { price: f64, size: i64 } }
changed! { reordered, Tick { size: u64, price: f64 } }
changed! { shorter, Tick { price: f64 } }
changed! { longer, Tick { price: f64, size: u64, extra: u64 } }

#[test]
fn each_change_has_another_fingerprint() {
    assert_eq!(base::Tick::FINGERPRINT, same::Tick::FINGERPRINT);
    let all = [
        base::Tick::FINGERPRINT,
        renamed::Tock::FINGERPRINT,
        renamed_field::Tick::FINGERPRINT,
        retyped::Tick::FINGERPRINT,
        reordered::Tick::FINGERPRINT,
        shorter::Tick::FINGERPRINT,
        longer::Tick::FINGERPRINT,
        <[base::Tick; 2]>::FINGERPRINT,
        <[base::Tick; 3]>::FINGERPRINT,
        <Vec<base::Tick>>::FINGERPRINT,
        <Option<base::Tick>>::FINGERPRINT,
        <Box<base::Tick>>::FINGERPRINT,
        <(base::Tick,)>::FINGERPRINT,
    ];
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            assert_ne!(one, other);
        }
    }
}
