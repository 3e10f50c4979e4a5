// A fake of the server's answers, for component tests and for looking at pages while they are
// written. Nothing outside of tests imports it.
import type {
  Alert,
  AuditEntry,
  Balance,
  Bill,
  BillingFinding,
  CostReport,
  CreditNote,
  Explanation,
  Flavor,
  Host,
  Image,
  Instance,
  Invoice,
  InvoiceDetail,
  InvoiceLine,
  Me,
  Notice,
  Operation,
  Package,
  PriceBook,
  PriceDraft,
  PriceOverride,
  PriceRate,
  PriceVersion,
  Quota,
  QuotaRequest,
  RatedLine,
  Reconciler,
  RuleGroup,
  Server,
  SystemInfo,
  Tenant,
  UsageGap,
  UsageRuling,
  User,
} from "../api/types";

const START = Date.now();
const ago = (seconds: number) => new Date(START - seconds * 1000).toISOString();
const id = (n: number) => `01930000-0000-7000-8000-${String(n).padStart(12, "0")}`;

export const operator: Me = { kind: "user", id: id(1), name: "operator", role: "operator" };
export const member: Me = {
  kind: "user",
  id: id(2),
  name: "ada@acme.example",
  role: "member",
  tenant_id: id(10),
  tenant_name: "acme",
};

export const tenants: Tenant[] = [
  { id: id(10), name: "acme", created_at: ago(90_000), currency: "CNY", price_book_id: id(60), standing: "warned", balance: "0.412345" },
  { id: id(11), name: "globex", created_at: ago(800_000), currency: "CNY", price_book_id: id(60), standing: "active", balance: "10824.500000" },
  { id: id(12), name: "initech", created_at: ago(8_000_000), currency: "CNY", price_book_id: id(60), standing: "stopped", balance: "-3.250001" },
];

export const balance: Balance = {
  at: ago(0),
  cash: "0.600000",
  bonus: "0.000000",
  held: "0.000000",
  credit_limit: "0.000000",
  currency: "CNY",
  balance: "0.412345",
  balance_display: "0.4123",
  posted: "0.600000",
  accrued: "0.187655",
  burn_per_hour: "0.360000000",
  runs_out_at: ago(-4120),
  standing: "warned",
  standing_since: ago(600),
  message: null,
};

export const quota: Quota = {
  items: [
    { resource: "instances", used: 8, limit: 10 },
    { resource: "vcpus", used: 12, limit: 40 },
    { resource: "memory_mib", used: 16384, limit: 16384 },
    { resource: "disk_gib", used: 120, limit: 500 },
    { resource: "public_ips", used: 0, limit: 50 },
    { resource: "volumes", used: 0, limit: 10 },
    { resource: "snapshots", used: 0, limit: 10 },
    { resource: "routers", used: 0, limit: 10 },
    { resource: "networks", used: 0, limit: 10 },
    { resource: "security_groups", used: 0, limit: 10 },
    { resource: "key_pairs", used: 0, limit: 100 },
  ],
};

export const quotaRequests: QuotaRequest[] = [
  { id: id(90), tenant_id: id(10), items: [{ resource: "instances", limit: 20 }, { resource: "memory_mib", limit: 65_536 }], reason: "The shop opens in a second country.\nTwo web servers more a week.", state: "pending", asked_by: "ada@acme.example", created_at: ago(1800) },
  { id: id(89), tenant_id: id(10), items: [{ resource: "vcpus", limit: 80 }], granted: [{ resource: "vcpus", limit: 40 }], reason: "A nightly batch run.", state: "approved", asked_by: "ada@acme.example", created_at: ago(400_000), decided_by: "operator", decided_at: ago(399_000), answer: "40 until the next host is here." },
];

export const flavors: Flavor[] = [
  { id: id(20), name: "m1.tiny", vcpus: 1, memory_mib: 160, disk_gib: 1, created_at: ago(90_000) },
  { id: id(21), name: "m1.large", vcpus: 4, memory_mib: 8192, disk_gib: 40, created_at: ago(90_000) },
];

export const images: Image[] = [
  { id: id(30), name: "debian-12", state: "active", disk_format: "qcow2", wants_kernel: false, kernel_cmdline: "", created_at: ago(90_000) },
  { id: id(31), name: "half-uploaded", state: "queued", disk_format: "raw", wants_kernel: false, kernel_cmdline: "", created_at: ago(90_000) },
];

const instance = (n: number, name: string, over: Partial<Instance>): Instance => ({
  id: id(100 + n),
  tenant_id: id(10),
  name,
  flavor_id: id(20),
  image_id: id(30),
  labels: {},
  host_id: id(40),
  vcpus: 1,
  memory_mib: 160,
  disk_gib: 1,
  mac: `52:54:00:00:00:0${n}`,
  wanted: "running",
  hold: "none",
  locked: false,
  power: "running",
  state: "running",
  state_since: ago(3600),
  observed_at: ago(2),
  generation: 1,
  observed_generation: 1,
  addresses: [`192.168.122.${10 + n}`],
  created_at: ago(4000 * n),
  ...over,
});

export const instances: Instance[] = [
  instance(1, "web-1", { labels: { team: "blue", tier: "gold" } }),
  instance(2, "web-2", { state: "building", step: "disk", progress_pct: 40, addresses: [] }),
  instance(3, "db-1", { state: "stopped", wanted: "stopped", power: "stopped", addresses: [] }),
  instance(4, "cache-with-a-rather-long-name-that-wraps", { power: "stopped", hold: "stopped" }),
  instance(5, "batch", { state: "failed", error_code: "disk_full", error: "the host's disk is full", addresses: [] }),
  instance(6, "lab", { state: "stopped", power: "stopped", locked: true, addresses: [] }),
];

export const hosts: Host[] = [
  {
    id: id(40), name: "node-a", state: "enabled", status: "ok", cpus: 16, memory_mib: 65536, disk_gib: 900,
    vcpus_placed: 22, memory_mib_placed: 40960, cpu_ratio_pct: 400, memory_ratio_pct: 100, domain_type: "kvm",
    libvirt_version: "9.0.0", hypervisor_version: "7.2.0", agent_version: "0.0.0", last_report_at: ago(3),
    generation: 31, observed_generation: 31, created_at: ago(900_000),
  },
  {
    id: id(41), name: "node-b", state: "disabled", status: "unknown", reason: "its agent has not reported for 92 s",
    remedy: "see whether opshawk agent runs on that host", cpus: 8, memory_mib: 32768, disk_gib: 400,
    vcpus_placed: 2, memory_mib_placed: 2048, cpu_ratio_pct: 400, memory_ratio_pct: 100, domain_type: "qemu",
    libvirt_version: "9.0.0", hypervisor_version: "7.2.0", agent_version: "0.0.0", last_report_at: ago(92),
    generation: 7, observed_generation: 6, created_at: ago(900_000),
  },
];

export const servers: Server[] = [
  {
    id: id(50), name: "rack1-u07", bmc_address: "192.0.2.7:623", bmc_user: "admin", power: "on", wanted_power: "on",
    observed_at: ago(8), sensors_at: ago(8), created_at: ago(70_000),
    device: { manufacturer: "Example Corp", manufacturer_id: 674, product_id: 256, firmware: "2.19", ipmi_version: "2.0", cipher_suite: 3 },
    sensors: [
      { id: 1, name: "Inlet Temp", type: "temperature", value: 23.5, unit: "°C", state: "nominal" },
      { id: 2, name: "CPU1 Temp", type: "temperature", value: 88, unit: "°C", state: "warning" },
      { id: 3, name: "Fan1", type: "fan", value: 5400, unit: "RPM", state: "nominal" },
      { id: 4, name: "12V", type: "voltage", value: 12.06, unit: "V", state: "nominal" },
      { id: 5, name: "PSU2", type: "power_supply", value: null, unit: "", state: "unknown" },
    ],
  },
  {
    id: id(51), name: "rack1-u09", bmc_address: "192.0.2.9:623", bmc_user: "admin", power: "unknown", wanted_power: null,
    observed_at: ago(4000), reason: "the BMC at 192.0.2.9:623 does not answer",
    remedy: "check the address and that IPMI over LAN is enabled", sensors: [], created_at: ago(70_000),
  },
];

const operation = (n: number, over: Partial<Operation>): Operation => ({
  id: id(200 + n),
  kind: "instance.create",
  target_kind: "instance",
  target_id: id(101),
  target_name: "web-1",
  tenant_id: id(10),
  actor: { kind: "user", id: id(2), name: "ada@acme.example" },
  state: "succeeded",
  progress_pct: 100,
  steps: [],
  started_at: ago(60 * n),
  finished_at: ago(60 * n - 4),
  duration_ms: 4210,
  ...over,
});

export const operations: Operation[] = [
  operation(1, {
    target_id: id(102), target_name: "web-2", state: "running", progress_pct: 40, finished_at: null, duration_ms: null,
    steps: [{ name: "image", started_at: ago(60), finished_at: ago(58) }, { name: "disk", started_at: ago(58), finished_at: null }],
  }),
  operation(2, {}),
  operation(3, { kind: "instance.stop", target_id: id(104), target_name: "cache-with-a-rather-long-name-that-wraps", actor: { kind: "system", id: "standing", name: "standing" }, duration_ms: 912 }),
  operation(4, { target_id: id(105), target_name: "batch", state: "failed", error_code: "disk_full", error: "the host's disk is full", duration_ms: 61_020 }),
  operation(5, { kind: "server.power_on", target_kind: "server", target_id: id(50), target_name: "rack1-u07", actor: { kind: "user", id: id(1), name: "operator" }, duration_ms: 1830 }),
  operation(6, { kind: "instance.frobnicate", state: "superseded", duration_ms: 4_000_000 }),
];

export const alerts: Alert[] = [
  {
    id: id(500), fingerprint: "a1", name: "GuestCpuHigh", state: "firing", value: 0.9312, active_at: ago(130), fired_at: ago(100), resolved_at: null,
    labels: { alertname: "GuestCpuHigh", severity: "warning", instance_id: id(101), domain: "web-1", tenant: id(10) },
    annotations: { summary: "web-1 keeps its CPU busy" },
  },
  {
    id: id(501), fingerprint: "a2", name: "HostDown", state: "pending", value: 0, active_at: ago(20), fired_at: null, resolved_at: null,
    labels: { alertname: "HostDown", severity: "critical", instance: "node-b" }, annotations: {},
  },
];

export const ruleGroups: RuleGroup[] = [
  { name: "guests", source: "api", updated_at: ago(4000), rules: "groups:\n  - name: guests\n    rules:\n      - alert: GuestCpuHigh\n        expr: rate(libvirt_domain_info_cpu_time_seconds_total[1m]) > 0.8\n        for: 30s\n" },
];

export const notices: Notice[] = [
  {
    id: id(300), topic: "balance", tenant_id: id(10), subject: "acme is expected to run out of balance within 1 h 8 min",
    body: "The balance is 0.4123 CNY, and 0.36 CNY an hour are used.\nTop it up, or stop what you do not need.", created_at: ago(600),
    deliveries: [
      { id: id(310), channel: "mail", target: "ada@acme.example", state: "delivered", attempts: 1, delivered_at: ago(598), last_error: null },
      { id: id(311), channel: "webhook", target: "http://127.0.0.1:9000/hook", state: "failed", attempts: 5, delivered_at: null, last_error: "connection refused" },
    ],
  },
];

export const users: User[] = [
  { id: id(2), login: "ada@acme.example", role: "member", tenant_id: id(10), created_at: ago(88_000), has_password: true },
];

const rates: PriceRate[] = [
  { id: "small", component: "instance.compute", where: { flavor: id(20) }, price: "0.360000000" },
  { id: "gold", component: "instance.compute", where: { labels: { tier: "gold" }, region: "north" }, price: "0.720000000" },
  { id: "backups", component: "package.package", price: "30.000000000" },
  { id: "out", component: "instance.net_tx", unit: 1_073_741_824, free: 10, graduated: [{ up_to: 90, price: "0.800000000" }, { price: "0.500000000" }], minimum: { amount: "5.000000", per: "tenant" } },
];

const version = (n: number, since_s: number, over: Partial<PriceVersion> = {}): PriceVersion => ({
  id: id(600 + n),
  number: n,
  effective_at: ago(since_s),
  published_at: ago(since_s + 60),
  kind: "regular",
  reason: "",
  tax: { mode: "on_top", rate: "0.060000" },
  rates,
  prices: [],
  ...over,
});

export const priceBooks: PriceBook[] = [
  { id: id(60), name: "standard", currency: "CNY", tenant_id: null, created_at: ago(900_000), versions: [version(1, 900_000), version(2, -86_400), version(3, 450_000, { kind: "correction", reason: "the price of small was typed wrong" })] },
  { id: id(61), name: "acme's own", currency: "CNY", tenant_id: id(10), created_at: ago(9_000), versions: [] },
];

export const priceDrafts: PriceDraft[] = [
  {
    id: id(610), price_book_id: id(60), revision: 3, is_checked: true, actor: "operator", updated_at: ago(300),
    document: { tax: { mode: "included", rate: "0.000000" }, rates },
    checks: [
      { severity: "error", code: "negative", rate: "small", message: "the price of small is negative" },
      { severity: "warning", code: "no_price", rate: null, message: "instances of flavor m1.large have no price: they are free" },
    ],
  },
  { id: id(611), price_book_id: id(60), revision: 1, is_checked: true, actor: "operator", updated_at: ago(30), document: { tax: { mode: "included", rate: "0.000000" }, rates }, checks: [] },
];

export const priceOverrides: PriceOverride[] = [
  { tenant_id: id(10), number: 1, price_version_id: id(620), from: ago(800_000), to: ago(400_000), tax: { mode: "included", rate: "0.000000" }, rates: rates.slice(0, 1), reason: "a trial", actor: "operator", created_at: ago(800_000) },
  { tenant_id: id(10), number: 2, price_version_id: id(621), from: ago(300_000), to: null, tax: { mode: "included", rate: "0.000000" }, rates: rates.slice(0, 2), reason: "a pilot, until the contract is signed", actor: "operator", created_at: ago(300_000) },
];

// The description leaves it open, which the generator takes for "empty".
const detail = (value: object) => value as AuditEntry["detail"];

export const audit: AuditEntry[] = [
  { id: id(400), at: ago(50), actor: { kind: "user", id: id(1), name: "operator" }, tenant_id: id(10), action: "tenant.topup", target_kind: "tenant", target_id: id(10), detail: detail({ amount: "0.600000", memo: "demo" }) },
  { id: id(401), at: ago(500), actor: { kind: "user", id: id(2), name: "ada@acme.example" }, tenant_id: id(10), action: "instance.create", target_kind: "instance", target_id: id(101), detail: detail({}) },
];

export const reconcilers: Reconciler[] = [
  { name: "standing", description: "Moves tenants through their standing as their balance falls and rises.", period_s: 60, running: false, runs: 421, failures: 0, last_started_at: ago(5), last_finished_at: ago(5), last_duration_ms: 12, last_error: null, last_status: { tenants: 3, changed: 0 }, next_run_at: ago(-55) },
  { name: "server-power", description: "Makes the power of servers what is wanted.", period_s: 30, running: true, runs: 80, failures: 3, last_started_at: ago(1), last_finished_at: ago(31), last_duration_ms: 2210, last_error: "the BMC at 192.0.2.9:623 does not answer", last_status: null, next_run_at: null },
];

export const systemInfo: SystemInfo = {
  version: "0.0.0", started_at: ago(7200), now: ago(0), database: "sqlite", data_dir: "/var/lib/opshawk",
  listen: "127.0.0.1:8420", public_url: "http://127.0.0.1:8420", console: true,
};

export const bill: Bill = {
  tenant_id: id(10), tenant_name: "acme", currency: "CNY", from: ago(90_000), to: ago(0), subtotal: "0.187655", accrued: "0.001000", accrued_at: ago(0),
  lines: [
    { what: "instance web-1, flavor m1.tiny", resource_name: "web-1", adjustment: false, resource_kind: "instance", resource_id: id(101), meter: `instance:${id(20)}`, component: "instance.compute", first_line: `${id(10)}.7.0`, from: ago(4000), to: ago(2200), model: "standard", unit: 1, per: "hour", unit_price: "0.360000000", quantity: 1, amount: "0.180000" },
    { what: "disk of web-1, 10 GiB", resource_name: "web-1", adjustment: false, resource_kind: "instance", resource_id: id(101), meter: "disk_gib", component: "instance.disk", first_line: `${id(10)}.7.1`, from: ago(4000), to: ago(2200), model: "standard", unit: 1, per: "hour", unit_price: "0.001531000", quantity: 10, amount: "0.007655" },
  ],
};

const charge = { charge: 7, position: 0 };
export const ratedLine: RatedLine = {
  id: `${id(10)}.${charge.charge}.${charge.position}`, what: "instance web-1, flavor m1.tiny", resource_kind: "instance", resource_id: id(101), resource_name: "web-1", component: "instance.compute", meter: `instance:${id(20)}`, price_version: id(31), rate: "tiny", unit_price: "0.360000000", month: "2026-11", at: ago(2200), from: ago(4000), to: ago(2200), kind: "usage", quality: "observed", coverage_ppm: 1_000_000, quantity: 1, net: "0.180000", tax: "0.000000",
};
export const explanation: Explanation = {
  line: ratedLine, currency: "CNY", equal: false, pending: true, more: true,
  steps: [
    { step: "measure", says: "1 units for 1800000 ms", posted: "1800000 unit-milliseconds (0.5 unit-hours)", recomputed: "1800000 unit-milliseconds (0.5 unit-hours)", equal: true },
    { step: "amount", says: "0.5 unit-hours at 0.36 per unit and hour: 0.18 exactly", posted: "net 0.170000, tax 0.000000", recomputed: "net 0.180000, tax 0.000000", equal: false },
  ],
  price: { version_id: id(31), book_id: id(30), book: "standard", number: 3, kind: "regular", reason: "", effective_at: ago(90_000), published_at: ago(90_000), tax: { mode: "included", rate: "0.000000" }, rate: { id: "tiny", component: "instance.compute", price: "0.360000000" }, formula: "0.36 per unit and hour" },
  charge: { transaction_id: id(701), number: 12, at: ago(2200) },
  usage: { facts: [{ id: id(801), source: "agent", source_id: "1", sequence: 1, state: "running", attributes: {}, at: ago(4000), recorded_at: ago(3999), counted_from: ago(4000), ruling: null, ruled_by: null, ruled_why: null }], spans: [], gaps: [], parked_from: null, next_facts: null },
  readings: [], counted: [], same_time: [ratedLine],
};

export const findings: BillingFinding[] = [
  { id: id(811), kind: "usage_quarantined", subject: `fact/${id(802)}`, tenant_id: id(10), severity: "warning", detail: "instance web-1: its stop is dated in the future", first_seen_at: ago(900), last_seen_at: ago(900), seen: 1, resolved_at: null },
  { id: id(812), kind: "leak_unbilled", subject: `instance/${id(101)}`, tenant_id: id(10), severity: "error", detail: "it is running, and not metered", first_seen_at: ago(9000), last_seen_at: ago(300), seen: 2, resolved_at: null },
];
export const gaps: UsageGap[] = [
  { id: id(821), kind: "instance", resource_id: id(101), from: "2026-11-21T09:00:00.250Z", to: "2026-11-21T10:00:00.750Z", state: "running", attributes: {}, policy: "cheaper", answered: false },
];
export const rulings: UsageRuling[] = [
  { fact_id: id(803), source: "agent", source_id: "2", kind: "instance", resource_id: id(102), state: "stopped", told_at: ago(90_000), ruling: "drop", counts_at: null, actor: "user:ann", reason: "told by a test", ruled_at: ago(80_000) },
];

export const packages: Package[] = [
  { id: id(630), tenant_id: id(10), name: "vpn", rate: "vpn", ordered_at: ago(9_000_000), renews_at: null, ends_at: ago(4_000_000), reason: "the prices have no package vpn", price: null },
  { id: id(631), tenant_id: id(10), name: "support for the shop in a second country", rate: "support", ordered_at: ago(900_000), renews_at: null, ends_at: ago(-1_700_000), reason: "cancelled", price: null },
  { id: id(632), tenant_id: id(10), name: "backups", rate: "backups", ordered_at: ago(300_000), renews_at: ago(-2_300_000), ends_at: null, reason: "", price: "31.800000" },
];

export const invoices: Invoice[] = [
  { id: id(601), number: "INV-000042", tenant_id: id(10), month: "2026-10", currency: "CNY", digits: 2, net: "193.310000", tax: "48.350000", total: "241.660000", rounding: "0.003500", credited: "41.660000", issued_at: ago(900) },
  { id: id(600), number: "INV-000007", tenant_id: id(10), month: "2026-09", currency: "CNY", digits: 2, net: "52.080000", tax: "0.000000", total: "52.080000", rounding: "0.000000", credited: "0.000000", issued_at: ago(2_700_000) },
];

/** Its lines are of two months and two rates of tax; one of them says not what it joins. */
export const invoiceLines: InvoiceLine[] = [
  { what: "disk of web-1, 10 GiB", resource_kind: "instance", resource_id: id(101), resource_name: "web-1", component: "instance.disk", flavor: "", rate: "disk", price_version_id: id(31), month: "2026-09", from: "2026-09-30T14:00:00Z", to: "2026-09-30T16:00:00Z", unit_price: "0.001531000", quantity: 0, net: "-0.100000", tax: "-0.006000", tax_rate: "0.060000", kind: "adjustment", model: "standard", unit: 1, adjustment: true, first_line: `${id(10)}.6.0` },
  { what: "instance web-1, flavor m1.tiny", resource_kind: "instance", resource_id: id(101), resource_name: "web-1", component: "instance.compute", flavor: "m1.tiny", rate: "tiny", price_version_id: id(31), month: "2026-10", from: ago(4000), to: ago(2200), unit_price: "0.360000000", quantity: 1, priced: { quantity: "510.194444444444", unit: "Hours", price: "0.36", cost: "183.67", effective: false }, net: "183.670000", tax: "45.917500", tax_rate: "0.250000", kind: "usage", model: "standard", unit: 1, adjustment: false, first_line: `${id(10)}.7.0` },
  { what: "instance web-1, net_tx", resource_kind: "instance", resource_id: id(101), resource_name: "web-1", component: "instance.net_tx", flavor: "", rate: "out", price_version_id: id(31), month: "2026-10", from: ago(4000), to: ago(2200), unit_price: "0.000000000", quantity: 13_958_643_712, priced: { quantity: "13", unit: "GiB", price: "0.749230769231", cost: "9.740000000003", effective: true }, net: "9.740000", tax: "2.435000", tax_rate: "0.250000", kind: "usage", model: "graduated", unit: 1_073_741_824, adjustment: false, first_line: null },
];
export const creditNotes: CreditNote[] = [
  { id: id(651), number: "CN-000007", invoice_id: id(601), net: "33.320000", tax: "8.340000", total: "41.660000", reason: "outage of 3 November", ledger_transaction_id: id(702), issued_at: ago(600) },
];
export function invoiceDetail(invoice: Invoice): InvoiceDetail {
  const { id: own, number, month, currency, digits, net, tax, total, rounding, issued_at } = invoice;
  return {
    ...invoice,
    content: {
      version: 1, id: own, number, month, currency, digits, issued_at, language: "en", timezone: "Asia/Shanghai",
      issuer: { name: "Example Cloud Ltd.", address: "1 Example Road, Shanghai", tax_id: "91310000EXAMPLE" },
      party: { tenant_id: id(10), name: "Acme Shops Ltd." },
      period_from: "2026-09-30T16:00:00Z", period_to: "2026-10-31T16:00:00Z",
      lines: invoiceLines,
      sums: { lines_net: "193.310000", lines_tax: "48.346500", net, tax, total, rounding },
    },
    credit_notes: creditNotes,
  };
}

export function costs(group: string): CostReport {
  const day = (n: number, net: string) => ({ key: `2026-10-${String(n).padStart(2, "0")}`, name: `2026-10-${String(n).padStart(2, "0")}`, currency: "CNY", net, tax: "0.000000", usage: [{ component: "instance.compute", unit_hours: "24.000000" }] });
  const resource = (n: number, name: string, net: string) => ({ key: id(n), name, currency: "CNY", net, tax: "0.000000", usage: [{ component: "instance.compute", unit_hours: "510.250000" }, { component: "instance.disk", unit_hours: "5102.500000" }] });
  const value = (key: string, net: string) => ({ ...resource(0, key, net), key });
  const tenant = (n: number, name: string, net: string) => ({ ...resource(n, name, net), usage: [{ component: "instance.compute", unit_hours: "510.250000" }] });
  const rows = group === "tenant" ? [tenant(11, "globex", "150.330000"), tenant(10, "acme", "43.000000")] : group === "label" ? [value("shop", "150.330000"), value("", "43.000000")] : group === "day" ? Array.from({ length: 31 }, (_, i) => day(i + 1, (4 + 3 * Math.sin(i / 4)).toFixed(6))) : [resource(101, "web-1", "183.690000"), resource(102, "a-database-with-a-rather-long-name", "9.640000")];
  return { from: ago(90_000), to: ago(0), group: group as CostReport["group"], rows, totals: [{ currency: "CNY", net: "193.330000", tax: "0.000000" }] };
}

const consoleTail = "\u001b[32mBooting\u001b[0m Linux\r\n[    0.000000] Linux version 6.1.0-cloud-amd64\r\n[    1.204411] virtio_net virtio0 eth0: renamed\r\n[    2.881020] EXT4-fs (vda1): mounted\r\n\r\nOPSHAWK GUEST READY\r\nweb-1 login: ";

function matrix(query: string, start: number, end: number, step: number) {
  const values: [number, string][] = [];
  const bytes = query.includes("bytes");
  for (let at = start; at <= end; at += step) {
    const wave = 0.35 + 0.25 * Math.sin(at / 47) + 0.1 * Math.sin(at / 9);
    values.push([at, String(bytes ? wave * 6e10 : wave)]);
  }
  return { status: "success", data: { resultType: "matrix", result: [{ metric: {}, values }] } };
}

/** What there is to complete with, and to find at one instant. */
const METRICS = ["node_load1", "node_load5", "libvirt_domain_info_cpu_time_seconds_total"];

function vector(query: string, at: number) {
  const labels = (cpu: string) => ({ __name__: query, cpu, instance: "node-a" });
  const result = [
    { metric: labels("0"), value: [at, "0.25"] },
    { metric: labels("1"), value: [at, "NaN"] },
  ];
  return { status: "success", data: { resultType: "vector", result } };
}

const page = <T>(items: T[]) => ({ items, next_cursor: null });

export interface FakeAnswer {
  status: number;
  body: unknown;
}

const ok = (body: unknown): FakeAnswer => ({ status: 200, body });

export const notFound: FakeAnswer = {
  status: 404,
  body: { type: "urn:opshawk:problem:not-found", title: "Not found", status: 404, detail: "it does not exist" },
};

const LISTS: Record<string, unknown[]> = {
  tenants, flavors, images, hosts, servers, instances, operations, alerts, notices, users, audit,
  "quota-requests": quotaRequests, "rule-groups": ruleGroups, "price-books": priceBooks,
  "price-drafts": priceDrafts,
};

/** What the server would answer to a GET; who asks decides what is there. */
export function fakeGet(url: URL, me: Me | null): FakeAnswer {
  const [, , kind = "", key, part] = url.pathname.split("/");
  if (url.pathname === "/prometheus/api/v1/query_range") {
    const number = (name: string) => Number(url.searchParams.get(name));
    return ok(matrix(url.searchParams.get("query") ?? "", number("start"), number("end"), number("step")));
  }
  if (url.pathname === "/prometheus/api/v1/query") {
    return ok(vector(url.searchParams.get("query") ?? "", Number(url.searchParams.get("time"))));
  }
  if (url.pathname === "/prometheus/api/v1/label/__name__/values") {
    return ok({ status: "success", data: METRICS });
  }
  if (url.pathname.startsWith("/prometheus/api/v1/")) return ok({ status: "success", data: [] });
  if (url.pathname === "/v1/me") {
    return me ? ok(me) : { status: 401, body: { type: "urn:opshawk:problem:unauthenticated", title: "Nobody is logged in", status: 401, detail: "log in" } };
  }
  if (url.pathname === "/v1/system/info") return ok(systemInfo);
  if (url.pathname === "/v1/system/reconcilers") return ok({ items: reconcilers });
  if (kind === "tenants" && part === "balance") return ok(balance);
  if (kind === "tenants" && part === "quota") return ok(quota);
  if (kind === "tenants" && part === "bill") return ok(bill);
  if (kind === "costs" && key === "labels") return ok({ items: ["team", "tier"] });
  if (kind === "costs") return ok(costs(url.searchParams.get("group") ?? "resource"));
  if (kind === "lines") return ok(key ? explanation : { items: [ratedLine], more: false });
  if (kind === "findings") return ok({ items: findings });
  if (kind === "usage-gaps") return ok({ items: gaps });
  if (kind === "usage-rulings") return ok({ items: rulings });
  if (kind === "invoices") {
    const invoice = invoices.find((one) => one.id === key);
    return key === undefined ? ok(page(invoices)) : invoice ? ok(invoiceDetail(invoice)) : notFound;
  }
  if (kind === "tenants" && part === "months") {
    return ok(page([{ month: "2026-10", ended_at: ago(90_000), closed_at: ago(900) }, { month: "2026-09", ended_at: ago(900_000), closed_at: ago(600_000) }]));
  }
  if (kind === "tenants" && part === "packages") return ok(page(packages));
  if (kind === "tenants" && part === "price-overrides") return ok(page(priceOverrides));
  if (kind === "price-books" && part === "drafts") {
    return ok(page(priceDrafts.filter(({ price_book_id }) => price_book_id === key)));
  }
  if (part === "console-log") return ok({ tail: consoleTail, at: ago(4) });
  if (kind === "quota-requests" && url.searchParams.get("state") === "pending") {
    return ok(page(quotaRequests.filter(({ state }) => state === "pending")));
  }
  const list = LISTS[kind];
  if (!list) return notFound;
  if (key === undefined) return ok(page(list));
  const found = list.find((item) => (item as { id?: string }).id === key);
  return found ? ok(found) : notFound;
}
