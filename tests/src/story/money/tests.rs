use serde_json::json;

use super::*;

const SHEET: &str = "what,resource_kind,resource_id,meter,from,to,unit_price,quantity,amount,component,unit,per,model,first_line\r\n\
                     disk,instance,i,disk_gib,a,b,0.36,1,0.000010,instance.disk,1,hour,standard,t.1.0\r\n\
                     flavor,instance,i,instance:f,a,b,36,1,0.000200,instance.compute,1,hour,standard,t.1.1\r\n\
                     subtotal,,,,a,b,,,0.000210,,,,,\r\n";

fn bill() -> Value {
    let line = |what, meter, price, amount, component, first| {
        json!({
            "what": what, "resource_kind": "instance", "resource_id": "i", "meter": meter,
            "from": "a", "to": "b", "unit_price": price, "quantity": 1, "amount": amount,
            "component": component, "unit": 1, "per": "hour", "model": "standard",
            "first_line": first,
        })
    };
    let lines = [
        line("disk", "disk_gib", "0.36", "0.000010", "instance.disk", "t.1.0"),
        line("flavor", "instance:f", "36", "0.000200", "instance.compute", "t.1.1"),
    ];
    json!({"lines": lines, "subtotal": "0.000210"})
}

#[test]
fn a_price_says_what_it_is_for() {
    let bill = bill();
    let said = |n: usize| price(&bill["lines"][n]).unwrap();
    assert_eq!((said(0), said(1)), ("0.36 a GiB·hour".to_owned(), "36 an hour".to_owned()));
    let of = |unit: i64, per: &str| {
        let line =
            json!({"unit_price": "8", "unit": unit, "per": per, "component": "package.package"});
        price(&line).ok()
    };
    assert_eq!(of(1 << 30, "unit").as_deref(), Some("8 for 1073741824"));
    assert_eq!(of(1, "month").as_deref(), Some("8 a month"));
    assert_eq!(of(1000, "hour"), None);
}

#[test]
fn a_sheet_of_the_bill_is_taken() {
    assert_eq!(same_as_sheet(&bill(), SHEET).unwrap(), 2);
}

#[test]
fn any_other_cell_row_or_sum_is_not() {
    let wrong = [
        ("disk,", "disc,"),
        ("a,b,0.36", "a,c,0.36"),
        ("0.36,1", "0.36,2"),
        ("0.36,", "0.37,"),
        ("0.000200", "0.000201"),
        (",0.000210,", ",0.000211,"),
        ("1,hour", "60,hour"),
        ("hour,standard", "month,standard"),
        ("instance.disk", "volume.capacity"),
        ("hour,standard", "hour,graduated"),
        ("t.1.0", "t.1.1"),
        (
            "flavor,instance,i,instance:f,a,b,36,1,0.000200,instance.compute,1,hour,standard,t.1.1\r\n",
            "",
        ),
        ("amount", "sum"),
    ];
    for (right, wrong) in wrong {
        let sheet = SHEET.replacen(right, wrong, 1);
        assert_ne!(sheet, SHEET);
        assert!(same_as_sheet(&bill(), &sheet).is_err(), "{sheet}");
    }
    let mut other = bill();
    other["subtotal"] = json!("0.000211");
    assert!(same_as_sheet(&other, SHEET).is_err(), "the subtotal of the bill");
}
