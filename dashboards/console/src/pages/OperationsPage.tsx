import { useTranslation } from "react-i18next";
import { OperationsTable } from "../components/OperationsTable";
import { PageHeader } from "../components/PageHeader";
import { Panel } from "../components/Panel";

export function OperationsPage() {
  const { t } = useTranslation();
  return (
    <>
      <PageHeader title={t("nav.operations")} description={t("operations.about")} />
      <Panel flush>
        <OperationsTable label={t("nav.operations")} />
      </Panel>
    </>
  );
}
