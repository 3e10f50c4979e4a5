import { Group, ScrollArea, Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { IconTerminal2 } from "@tabler/icons-react";
import { useEffect, useRef, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { ConsoleLog as Log } from "../../api/types";
import { Empty } from "../../components/Empty";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { When } from "../../components/When";
import { plainText } from "./plainText";

interface Props {
  log: UseQueryResult<Log>;
  /** What else can be done with the guest's consoles. */
  actions: ReactNode;
}

export function ConsoleLog({ log, actions }: Props) {
  const { t } = useTranslation();
  return (
    <Panel
      title={t("instance.console.title")}
      flush
      aside={
        <Group gap="sm">
          {log.data?.at && (
            <Text size="xs" c="dimmed">
              <When at={log.data.at} />
            </Text>
          )}
          {actions}
        </Group>
      }
    >
      <QueryView query={log} lines={6}>
        {({ tail }) =>
          tail === "" ? (
            <Empty
              icon={IconTerminal2}
              title={t("instance.console.empty")}
              hint={t("instance.console.emptyHint")}
            />
          ) : (
            <Tail text={plainText(tail)} />
          )
        }
      </QueryView>
    </Panel>
  );
}

/** Stays at the end while it grows, unless the reader has scrolled up. */
function Tail({ text }: { text: string }) {
  const { t } = useTranslation();
  const viewport = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    if (follows.current) viewport.current?.scrollTo({ top: viewport.current.scrollHeight });
  }, [text]);
  return (
    <ScrollArea.Autosize
      mah={360}
      mih={290}
      viewportRef={viewport}
      bg="#0b1319"
      onScrollPositionChange={({ y }) => {
        const box = viewport.current;
        if (box) follows.current = box.scrollHeight - y - box.clientHeight < 24;
      }}
      viewportProps={{ tabIndex: 0, role: "log", "aria-label": t("instance.console.title") }}
    >
      <pre className="console">{text}</pre>
    </ScrollArea.Autosize>
  );
}
