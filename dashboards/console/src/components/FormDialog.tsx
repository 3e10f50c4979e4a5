// A dialog that asks for something: fields, what was wrong with them, and two buttons.
import { Button, Group, Modal, Stack, type ModalProps } from "@mantine/core";
import type { SyntheticEvent, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "./Problem";

interface DialogProps {
  title: string;
  opened: boolean;
  onClose: () => void;
  size?: ModalProps["size"];
  /** Mounted while open, so that each opening begins anew. */
  children: ReactNode;
}

export function Dialog({ title, opened, onClose, size, children }: DialogProps) {
  const { t } = useTranslation();
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={title}
      size={size}
      closeButtonProps={{ "aria-label": t("action.close") }}
      styles={{ title: { fontWeight: 650 } }}
    >
      {children}
    </Modal>
  );
}

interface FormProps {
  submit: string;
  onSubmit: (event?: SyntheticEvent<HTMLFormElement>) => void;
  onCancel: () => void;
  pending: boolean;
  error: unknown;
  danger?: boolean;
  children: ReactNode;
}

export function DialogForm({
  submit,
  onSubmit,
  onCancel,
  pending,
  error,
  danger,
  children,
}: FormProps) {
  const { t } = useTranslation();
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        {children}
        <Problem error={error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            {t("action.cancel")}
          </Button>
          <Button type="submit" loading={pending} color={danger ? "red" : undefined}>
            {submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
