// Short names for the schemas of the generated description.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type Tenant = Schemas["Tenant"];
export type Balance = Schemas["Balance"];
export type Bill = Schemas["Bill"];
export type BillLine = Schemas["BillLine"];
export type RatedLine = Schemas["RatedLine"];
export type Explanation = Schemas["Explanation"];
export type BillingFinding = Schemas["BillingFinding"];
export type UsageGap = Schemas["UsageGap"];
export type UsageRuling = Schemas["UsageRuling"];
export type CostReport = Schemas["CostReport"];
export type CostRow = Schemas["CostRow"];
export type CostTotal = Schemas["CostTotal"];
export type CostGroup = Schemas["Group"];
export type Package = Schemas["Package"];
export type Invoice = Schemas["Invoice"];
export type InvoiceDetail = Schemas["InvoiceDetail"];
export type InvoiceContent = Schemas["Content"];
export type InvoiceLine = Schemas["Line"];
export type CreditNote = Schemas["CreditNote"];
export type Quota = Schemas["Quota"];
export type QuotaItem = Schemas["QuotaItem"];
export type QuotaLimit = Schemas["QuotaLimit"];
export type QuotaRequest = Schemas["QuotaRequest"];
export type Cut = Schemas["Cut"];
export type QuotaResource = Schemas["Resource"];
export type Standing = Schemas["Standing"];
export type User = Schemas["User"];
export type CreatedUser = Schemas["CreatedUser"];
export type Flavor = Schemas["Flavor"];
export type Image = Schemas["Image"];
export type Host = Schemas["Host"];
export type CreatedHost = Schemas["CreatedHost"];
export type Server = Schemas["Server"];
export type Sensor = Schemas["Sensor"];
export type Instance = Schemas["Instance"];
export type CreateInstance = Schemas["CreateInstance"];
export type ConsoleLog = Schemas["ConsoleLog"];
export type Operation = Schemas["Operation"];
export type Alert = Schemas["Alert"];
export type RuleGroup = Schemas["RuleGroup"];
export type Notice = Schemas["Notice"];
export type AuditEntry = Schemas["AuditEntry"];
export type Reconciler = Schemas["ReconcilerStatus"];
export type SystemInfo = Schemas["SystemInfo"];
export type PriceBook = Schemas["PriceBook"];
export type PriceVersion = Schemas["PriceVersion"];
export type PriceDocument = Schemas["PriceDocument"];
export type PriceRate = Schemas["PriceRate"];
export type PriceTax = Schemas["PriceTax"];
export type PriceDraft = Schemas["PriceDraft"];
export type PriceCheck = Schemas["PriceCheck"];
export type PriceSimulation = Schemas["PriceSimulation"];
export type PriceOverride = Schemas["PriceOverride"];
export type Change = Schemas["ChangeEvent"];
export type ProblemDetails = Schemas["Problem"];

/** A page of a list, with the cursor of the next. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}
