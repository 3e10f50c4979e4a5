//! The words of printed forms. Numbers and dates are written alike in all languages.

use super::{Language, content::Line};

/// The fixed words of one language.
#[derive(Debug)]
pub struct Words {
    pub invoice: &'static str,
    pub credit_note: &'static str,
    pub number: &'static str,
    pub issued: &'static str,
    pub month: &'static str,
    pub period: &'static str,
    pub zone: &'static str,
    pub currency: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub tax_id: &'static str,
    pub customer: &'static str,
    pub item: &'static str,
    pub time: &'static str,
    pub quantity: &'static str,
    pub price: &'static str,
    pub amount: &'static str,
    pub subtotal: &'static str,
    pub net: &'static str,
    pub tax: &'static str,
    pub rounding: &'static str,
    pub total: &'static str,
    pub hours: &'static str,
    pub month_of_use: &'static str,
    pub per_month: &'static str,
    pub graduated: &'static str,
    pub volume: &'static str,
    pub blocks: &'static str,
    pub minimum: &'static str,
    pub invoice_of: &'static str,
    pub reason: &'static str,
    pub correction: &'static str,
    pub exact: &'static str,
}

const ENGLISH: Words = Words {
    invoice: "Invoice",
    credit_note: "Credit note",
    number: "Number",
    issued: "Issued",
    month: "Month",
    period: "Period",
    zone: "Time zone",
    currency: "Currency",
    from: "From",
    to: "Bill to",
    tax_id: "Tax ID",
    customer: "Customer ID",
    item: "Item",
    time: "Time",
    quantity: "Quantity",
    price: "Price",
    amount: "Amount",
    subtotal: "Subtotal",
    net: "Net",
    tax: "Tax",
    rounding: "Rounding",
    total: "Total",
    hours: "h",
    month_of_use: "month",
    per_month: "/ month",
    graduated: "graduated",
    volume: "by volume",
    blocks: "by the block",
    minimum: "minimum charge",
    invoice_of: "Of invoice",
    reason: "Reason",
    correction: "correction",
    exact: "Amounts of items are exact to a millionth; the total is rounded half to even.",
};

const CHINESE: Words = Words {
    invoice: "账单",
    credit_note: "贷记单",
    number: "编号",
    issued: "开具时间",
    month: "账期",
    period: "计费区间",
    zone: "时区",
    currency: "币种",
    from: "开具方",
    to: "客户",
    tax_id: "税号",
    customer: "客户编号",
    item: "项目",
    time: "时间",
    quantity: "用量",
    price: "单价",
    amount: "金额",
    subtotal: "小计",
    net: "不含税金额",
    tax: "税额",
    rounding: "舍入",
    total: "合计",
    hours: "小时",
    month_of_use: "个月",
    per_month: "/ 月",
    graduated: "阶梯价",
    volume: "总量价",
    blocks: "按包计价",
    minimum: "最低消费",
    invoice_of: "原账单",
    reason: "原因",
    correction: "更正",
    exact: "各项金额精确到百万分之一；合计按四舍六入五成双取整。",
};

pub fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    }
}

/// Over the items of one month.
pub fn heading(language: Language, month: &str, late: bool) -> String {
    match (language, late) {
        (Language::English, false) => format!("Use in {month}"),
        (Language::English, true) => format!("Adjustments of {month}"),
        (Language::Chinese, false) => format!("{month} 用量"),
        (Language::Chinese, true) => format!("{month} 调整"),
    }
}

/// At the foot of each page.
pub fn page_of(language: Language, page: usize, pages: usize) -> String {
    match language {
        Language::English => format!("Page {page} of {pages}"),
        Language::Chinese => format!("第 {page} 页，共 {pages} 页"),
    }
}

/// What was used, or is due otherwise.
pub fn item(language: Language, line: &Line) -> String {
    let (name, flavor) = (&line.resource_name, &line.flavor);
    // Of all resources together.
    let of = if name.is_empty() { "" } else { ": " };
    let text = match (language, line.kind.as_str(), line.component.as_str()) {
        (Language::English, "minimum", _) => format!("Minimum of {}{of}{name}", line.rate),
        (Language::English, "volume", _) => format!("Volume price of {}{of}{name}", line.rate),
        (Language::Chinese, "minimum", _) => format!("{} 最低消费{of}{name}", line.rate),
        (Language::Chinese, "volume", _) => format!("{} 总量计价{of}{name}", line.rate),
        (Language::English, _, "instance.compute") => format!("Instance {name}, flavor {flavor}"),
        (Language::English, _, "instance.compute_suspended") => {
            format!("Instance {name}, flavor {flavor}, paused")
        }
        (Language::English, _, "instance.disk") => format!("Disk of {name}"),
        (Language::English, _, "package.package") => format!("Package {name}"),
        (Language::Chinese, _, "instance.compute") => format!("云主机 {name}，规格 {flavor}"),
        (Language::Chinese, _, "instance.compute_suspended") => {
            format!("云主机 {name}，规格 {flavor}，已暂停")
        }
        (Language::Chinese, _, "instance.disk") => format!("{name} 的磁盘"),
        (Language::Chinese, _, "package.package") => format!("套餐 {name}"),
        _ => line.what.clone(),
    };
    match line.adjustment {
        true => format!("{text} ({})", words(language).correction),
        false => text,
    }
}
