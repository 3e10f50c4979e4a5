// One tenant's money: the bill of a period, what it cost by day and resource, the invoices.
import { Tabs } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { BillView } from "./BillView";
import { CostsView } from "./CostsView";
import { InvoicesView } from "./InvoicesView";
import { TABS, toSearch, type MoneySearch, type Period } from "./period";

interface Props {
  tenantId: string;
  search: MoneySearch;
  /** What of it becomes another. */
  onSearch: (change: MoneySearch) => void;
}

export function MoneyTabs({ tenantId, search, onSearch }: Props) {
  const { t } = useTranslation();
  const onPeriod = (period: Period) => onSearch(toSearch(period));
  return (
    <Tabs
      value={search.tab ?? "bill"}
      onChange={(chosen) => onSearch({ tab: TABS.find((tab) => tab === chosen) })}
      keepMounted={false}
    >
      <Tabs.List mb="md" className="no-print">
        <Tabs.Tab value="bill">{t("bill.title")}</Tabs.Tab>
        <Tabs.Tab value="costs">{t("cost.title")}</Tabs.Tab>
        <Tabs.Tab value="invoices">{t("invoice.title")}</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="bill">
        <BillView {...{ tenantId, search, onPeriod }} />
      </Tabs.Panel>
      <Tabs.Panel value="costs">
        <CostsView {...{ tenantId, search, onPeriod }} />
      </Tabs.Panel>
      <Tabs.Panel value="invoices">
        <InvoicesView tenantId={tenantId} />
      </Tabs.Panel>
    </Tabs>
  );
}
