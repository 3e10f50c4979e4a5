import { NumberInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { useSetQuota } from "../../api/actions";
import type { QuotaItem, QuotaResource } from "../../api/types";
import { DialogForm } from "../../components/FormDialog";
import { notifyDone } from "../../components/notify";

const RESOURCES: readonly QuotaResource[] = ["instances", "vcpus", "memory_mib", "disk_gib"];

interface Props {
  tenantId: string;
  items: readonly QuotaItem[];
  onClose: () => void;
}

export function QuotaForm({ tenantId, items, onClose }: Props) {
  const { t } = useTranslation();
  const set = useSetQuota(tenantId);
  const limitOf = (resource: QuotaResource) =>
    items.find((item) => item.resource === resource)?.limit ?? 0;
  const form = useForm<Record<QuotaResource, number | string>>({
    initialValues: {
      instances: limitOf("instances"),
      vcpus: limitOf("vcpus"),
      memory_mib: limitOf("memory_mib"),
      disk_gib: limitOf("disk_gib"),
    },
  });
  const submit = form.onSubmit((values) =>
    set.mutate(
      { items: RESOURCES.map((resource) => ({ resource, limit: Number(values[resource]) })) },
      {
        onSuccess: () => {
          notifyDone(t("quota.saved"));
          onClose();
        },
      },
    ),
  );
  return (
    <DialogForm
      submit={t("action.save")}
      onSubmit={submit}
      onCancel={onClose}
      pending={set.isPending}
      error={set.error}
    >
      {RESOURCES.map((resource) => (
        <NumberInput
          key={resource}
          label={t(`quota.limit.${resource}`)}
          min={0}
          allowDecimal={false}
          allowNegative={false}
          thousandSeparator=","
          {...form.getInputProps(resource)}
        />
      ))}
    </DialogForm>
  );
}
