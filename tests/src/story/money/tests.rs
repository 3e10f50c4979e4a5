use serde_json::json;

use super::*;

const SHEET: &str = "what,resource_kind,resource_id,meter,from,to,unit_price,quantity,amount\r\n\
                     disk,instance,i,disk_gib,a,b,0.36,1,0.000010\r\n\
                     flavor,instance,i,instance:f,a,b,36,1,0.000200\r\n\
                     subtotal,,,,a,b,,,0.000210\r\n";

fn bill() -> Value {
    let line = |what, meter, price, amount| {
        json!({
            "what": what, "resource_kind": "instance", "resource_id": "i", "meter": meter,
            "from": "a", "to": "b", "unit_price": price, "quantity": 1, "amount": amount,
        })
    };
    let lines = [
        line("disk", "disk_gib", "0.36", "0.000010"),
        line("flavor", "instance:f", "36", "0.000200"),
    ];
    json!({"lines": lines, "subtotal": "0.000210"})
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
        (",0.000210", ",0.000211"),
        ("flavor,instance,i,instance:f,a,b,36,1,0.000200\r\n", ""),
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
