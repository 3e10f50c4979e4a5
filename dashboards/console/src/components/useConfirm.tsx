import { Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useTranslation } from "react-i18next";

interface Question {
  title: string;
  /** What will happen, so that nobody is surprised. */
  consequence: string;
  /** The verb, on the button. */
  confirm: string;
  danger?: boolean;
  onConfirm: () => void;
}

/** Asks before what can't be undone. */
export function useConfirm(): (question: Question) => void {
  const { t } = useTranslation();
  return ({ title, consequence, confirm, danger = false, onConfirm }) =>
    modals.openConfirmModal({
      title,
      children: <Text size="sm">{consequence}</Text>,
      labels: { confirm, cancel: t("action.cancel") },
      confirmProps: { color: danger ? "red" : undefined },
      closeButtonProps: { "aria-label": t("action.close") },
      onConfirm,
    });
}
