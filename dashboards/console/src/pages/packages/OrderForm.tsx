// Ordering a package: one of those that the tenant's prices name.
import { Select, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { useOrderPackage } from "../../api/actions";
import { DialogForm } from "../../components/FormDialog";
import { answered } from "../../components/formErrors";
import { formatPrice } from "../../format/money";
import { TaxLine } from "../prices/TaxLine";
import type { Offer } from "./offers";

interface Props {
  tenantId: string;
  currency: string;
  offers: readonly Offer[];
  onClose: () => void;
}

export function OrderForm({ tenantId, currency, offers, onClose }: Props) {
  const { t } = useTranslation();
  const order = useOrderPackage(tenantId);
  const form = useForm({
    initialValues: { rate: offers.length === 1 ? (offers[0]?.rate.id ?? "") : "", name: "" },
    validate: { rate: (value) => (value ? null : t("package.order.rateMissing")) },
  });
  const submit = form.onSubmit(({ rate, name }) =>
    order.mutate(
      { rate, name: name.trim() },
      answered(form, onClose, t("package.order.done", { name: name.trim() || rate })),
    ),
  );
  const said = ({ rate: { id, price } }: Offer) =>
    price ? t("package.order.offer", { id, price: formatPrice(price), currency }) : id;
  const chosen = offers.find(({ rate }) => rate.id === form.values.rate);
  return (
    <DialogForm
      submit={t("package.order.submit")}
      onSubmit={submit}
      onCancel={onClose}
      pending={order.isPending}
      error={order.error}
    >
      <Text size="sm">{t("package.order.hint")}</Text>
      <Select
        label={t("package.one")}
        withAsterisk
        data={offers.map((offer) => ({ value: offer.rate.id, label: said(offer) }))}
        nothingFoundMessage={t("common.nothingFound")}
        searchable
        {...form.getInputProps("rate")}
      />
      {chosen && <TaxLine tax={chosen.tax} />}
      <TextInput
        label={t("field.name")}
        description={t("package.order.nameHint")}
        {...form.getInputProps("name")}
      />
    </DialogForm>
  );
}
