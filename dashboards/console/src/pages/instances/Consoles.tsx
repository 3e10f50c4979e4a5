// The guest's own voice: what it printed, and, at a button's press, its serial port or screen live.
import { Button, Group, SimpleGrid } from "@mantine/core";
import { IconDeviceDesktop, IconTerminal2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { consoleLogQuery } from "../../api/queries";
import type { Instance } from "../../api/types";
import { ConsoleLog } from "./ConsoleLog";
import type { Kind } from "./live/channel";
import { LiveConsole } from "./live/LiveConsole";
import { plainText } from "./plainText";

interface Props {
  instance: Instance;
  /** What stands beside the log, and above a live console. */
  children: ReactNode;
}

export function Consoles({ instance: { id, state }, children }: Props) {
  const { t } = useTranslation();
  const [open, setOpen] = useState<Kind | null>(null);
  const log = useQuery(consoleLogQuery(id));
  const buttons = state === "running" && (
    <Group gap="xs">
      <Button
        size="xs"
        variant="light"
        leftSection={<IconTerminal2 size={15} aria-hidden />}
        onClick={() => setOpen("serial")}
      >
        {t("instance.live.open.serial")}
      </Button>
      <Button
        size="xs"
        variant="light"
        leftSection={<IconDeviceDesktop size={15} aria-hidden />}
        onClick={() => setOpen("screen")}
      >
        {t("instance.live.open.screen")}
      </Button>
    </Group>
  );
  return (
    <>
      <SimpleGrid cols={{ base: 1, lg: open === null ? 2 : 1 }} spacing="lg">
        {children}
        {open === null && <ConsoleLog log={log} actions={buttons} />}
      </SimpleGrid>
      {open !== null && (
        <LiveConsole
          id={id}
          kind={open}
          printed={plainText(log.data?.tail ?? "")}
          onClose={() => setOpen(null)}
        />
      )}
    </>
  );
}
