import { useMe } from "../shell/me";
import { MemberOverview } from "./overview/MemberOverview";
import { OperatorOverview } from "./overview/OperatorOverview";

export function OverviewPage() {
  const { isOperator, tenant_id } = useMe();
  if (isOperator) return <OperatorOverview />;
  return tenant_id ? <MemberOverview tenantId={tenant_id} /> : null;
}
