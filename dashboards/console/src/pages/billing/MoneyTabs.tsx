// One tenant's money: the bill of a period, what it cost by day and resource, the invoices.
import { Tabs } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { BillView } from "./BillView";
import { CostsView } from "./CostsView";
import { InvoicesView } from "./InvoicesView";
import type { Period, PeriodSearch } from "./period";

interface Props {
  tenantId: string;
  search: PeriodSearch;
  onPeriod: (period: Period) => void;
}

export function MoneyTabs(props: Props) {
  const { t } = useTranslation();
  return (
    <Tabs defaultValue="bill" keepMounted={false}>
      <Tabs.List mb="md" className="no-print">
        <Tabs.Tab value="bill">{t("bill.title")}</Tabs.Tab>
        <Tabs.Tab value="costs">{t("cost.title")}</Tabs.Tab>
        <Tabs.Tab value="invoices">{t("invoice.title")}</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="bill">
        <BillView {...props} />
      </Tabs.Panel>
      <Tabs.Panel value="costs">
        <CostsView {...props} />
      </Tabs.Panel>
      <Tabs.Panel value="invoices">
        <InvoicesView tenantId={props.tenantId} />
      </Tabs.Panel>
    </Tabs>
  );
}
