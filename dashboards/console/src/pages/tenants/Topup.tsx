import { Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { useTopup } from "../../api/actions";
import type { Tenant } from "../../api/types";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { showAtField } from "../../components/formErrors";
import { notifyDone } from "../../components/notify";
import { formatAmount, isAmount, isPositive } from "../../format/money";

interface Props {
  tenant: Tenant;
  onClose: () => void;
}

export function TopupDialog({ opened, ...props }: Props & { opened: boolean }) {
  const { t } = useTranslation();
  const { tenant, onClose } = props;
  return (
    <Dialog title={t("topup.title", { name: tenant.name })} opened={opened} onClose={onClose}>
      <TopupForm {...props} />
    </Dialog>
  );
}

export function TopupForm({ tenant, onClose }: Props) {
  const { t } = useTranslation();
  const { id, name, currency } = tenant;
  const topup = useTopup(id);
  const form = useForm({
    initialValues: { amount: "", memo: "" },
    validate: {
      amount: (value) =>
        isAmount(value.trim()) && isPositive(value.trim()) ? null : t("topup.amountWrong"),
    },
  });
  const submit = form.onSubmit(({ amount, memo }) =>
    topup.mutate(
      { amount: amount.trim(), memo: memo.trim() },
      {
        onSuccess: ({ balance }) => {
          notifyDone(t("topup.done", { name, balance: formatAmount(balance.balance), currency }));
          onClose();
        },
        onError: (error) => showAtField(form, error),
      },
    ),
  );
  return (
    <DialogForm
      submit={t("topup.submit")}
      onSubmit={submit}
      onCancel={onClose}
      pending={topup.isPending}
      error={topup.error}
    >
      <TextInput
        label={t("topup.amount")}
        description={t("topup.amountHint")}
        withAsterisk
        data-autofocus
        inputMode="decimal"
        rightSection={
          <Text size="sm" c="dimmed">
            {currency}
          </Text>
        }
        rightSectionWidth={56}
        {...form.getInputProps("amount")}
      />
      <TextInput
        label={t("topup.memo")}
        description={t("topup.memoHint")}
        {...form.getInputProps("memo")}
      />
    </DialogForm>
  );
}
