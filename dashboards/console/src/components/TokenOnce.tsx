import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { IconKey } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Copyable } from "./Copyable";

interface Props {
  /** What it is for. */
  title: string;
  hint: string;
  secret: string | null | undefined;
  onClose: () => void;
}

/** A secret that the server tells only once. */
export function TokenOnce({ title, hint, secret, onClose }: Props) {
  const { t } = useTranslation();
  return (
    <Stack>
      <Alert color="hawk" icon={<IconKey size={20} />} title={title}>
        <Stack gap="sm">
          <Text size="sm">{hint}</Text>
          {secret && <Copyable value={secret} label={title} />}
        </Stack>
      </Alert>
      <Group justify="flex-end">
        <Button onClick={onClose}>{t("action.done")}</Button>
      </Group>
    </Stack>
  );
}
