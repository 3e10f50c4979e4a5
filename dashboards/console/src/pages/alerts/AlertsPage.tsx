import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { alertsQuery } from "../../api/queries";
import type { Alert } from "../../api/types";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { useMe } from "../../shell/me";
import { AlertTable } from "./AlertTable";
import { NoticeTable } from "./NoticeTable";
import { RuleGroups } from "./RuleGroups";

const STATES = ["firing", "pending", "resolved"] as const;

export function AlertsPage() {
  const { t } = useTranslation();
  const { isOperator } = useMe();
  const query = useQuery(alertsQuery);
  const count = (state: Alert["state"]) =>
    query.data?.filter((alert) => alert.state === state).length ?? 0;
  return (
    <>
      <PageHeader title={t("nav.alerts")} description={t("alert.about")} />
      <Tabs defaultValue="firing" keepMounted={false}>
        <Tabs.List mb="md">
          {STATES.map((state) => (
            <Tabs.Tab key={state} value={state}>
              {t("alert.tab", { state: t(`status.alert.${state}`), count: count(state) })}
            </Tabs.Tab>
          ))}
          <Tabs.Tab value="notices">{t("notice.title")}</Tabs.Tab>
          {isOperator && <Tabs.Tab value="rules">{t("rule.title")}</Tabs.Tab>}
        </Tabs.List>
        {STATES.map((state) => (
          <Tabs.Panel key={state} value={state}>
            <Panel flush>
              <QueryView query={query} lines={5}>
                {(alerts) => (
                  <AlertTable
                    state={state}
                    alerts={alerts.filter((alert) => alert.state === state)}
                  />
                )}
              </QueryView>
            </Panel>
          </Tabs.Panel>
        ))}
        <Tabs.Panel value="notices">
          <Panel flush>
            <NoticeTable />
          </Panel>
        </Tabs.Panel>
        {isOperator && (
          <Tabs.Panel value="rules">
            <RuleGroups />
          </Tabs.Panel>
        )}
      </Tabs>
    </>
  );
}
