import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { useSetQuota } from "../../api/actions";
import type { QuotaItem } from "../../api/types";
import { DialogForm } from "../../components/FormDialog";
import { notifyDone } from "../../components/notify";
import { changed, LimitFields, toValues } from "../../components/QuotaLimits";

interface Props {
  tenantId: string;
  items: readonly QuotaItem[];
  onClose: () => void;
}

export function QuotaForm({ tenantId, items, onClose }: Props) {
  const { t } = useTranslation();
  const set = useSetQuota(tenantId);
  const form = useForm({ initialValues: toValues(items) });
  const submit = form.onSubmit((values) =>
    set.mutate(
      { items: changed(items, values) },
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
      <LimitFields
        resources={items.map(({ resource }) => resource)}
        inputProps={(resource) => form.getInputProps(resource)}
      />
    </DialogForm>
  );
}
