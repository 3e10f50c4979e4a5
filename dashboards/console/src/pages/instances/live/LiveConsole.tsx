// What stands around a live console: whether it is connected, why it is not, and how to leave it.
import { Alert, Badge, Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import { IconPlugConnectedX, IconRefresh, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalQuery } from "../../../api/queries";
import { Panel } from "../../../components/Panel";
import { Problem } from "../../../components/Problem";
import { channelPath, whyClosed, type Closing, type Kind, type Phase } from "./channel";

const SerialTerminal = lazy(() => import("./SerialTerminal"));
const Screen = lazy(() => import("./Screen"));

const CONNECTING: Phase = { is: "connecting" };
const COLORS = { connecting: "blue", open: "teal", closed: "gray" } as const;

interface Props {
  id: string;
  kind: Kind;
  /** What the guest printed before, as plain text. */
  printed: string;
  onClose: () => void;
}

export function LiveConsole({ id, kind, printed, onClose }: Props) {
  const { t } = useTranslation();
  const [attempt, setAttempt] = useState(0);
  const [phase, setPhase] = useState<Phase>(CONNECTING);
  const leave = useRef<HTMLButtonElement>(null);
  const path = channelPath(id, kind);
  // It opens below what is being looked at.
  useEffect(() => {
    leave.current?.scrollIntoView({ block: "center" });
  }, []);
  const again = () => {
    setPhase(CONNECTING);
    setAttempt(attempt + 1);
  };
  const shared = { path, onPhase: setPhase, onLeave: () => leave.current?.focus() };
  return (
    <Panel
      title={kind === "serial" ? t("instance.live.terminal") : t("instance.live.screen")}
      flush
      aside={
        <Group gap="xs">
          <Badge color={COLORS[phase.is]} data-status={phase.is} role="status">
            {t(`instance.live.phase.${phase.is}`)}
          </Badge>
          <Button
            ref={leave}
            size="xs"
            variant="default"
            leftSection={<IconX size={14} aria-hidden />}
            onClick={onClose}
          >
            {t("action.close")}
          </Button>
        </Group>
      }
    >
      {phase.is === "closed" && (
        <Closed key={attempt} path={path} closing={phase.closing} onAgain={again} />
      )}
      <Suspense fallback={<Skeleton height={360} radius={0} />}>
        {kind === "serial" ? (
          <SerialTerminal key={attempt} printed={printed} {...shared} />
        ) : (
          <Screen key={attempt} {...shared} />
        )}
      </Suspense>
      {phase.is === "open" && (
        <Text size="xs" c="dimmed" p="sm">
          {t("instance.live.keys")}
        </Text>
      )}
    </Panel>
  );
}

interface ClosedProps {
  path: string;
  closing: Closing;
  onAgain: () => void;
}

function Closed({ path, closing, onAgain }: ClosedProps) {
  const { t } = useTranslation();
  const why = whyClosed(closing);
  // A browser does not tell what a refused WebSocket was answered; a plain request is told.
  const refusal = useQuery({ ...refusalQuery(path), enabled: why === "refused" });
  return (
    <Stack p="md" gap="sm" align="flex-start">
      {refusal.data ? (
        <Problem error={refusal.data} />
      ) : (
        <Alert
          role="alert"
          w="100%"
          color={why === "ended" ? "gray" : "orange"}
          icon={<IconPlugConnectedX size={20} />}
          title={t(`instance.live.closed.${why}`)}
        >
          {closing.reason !== "" && <Text size="sm">{closing.reason}</Text>}
          <Text size="xs" c="dimmed">
            {t("instance.live.code", { code: closing.code })}
          </Text>
        </Alert>
      )}
      <Button size="xs" leftSection={<IconRefresh size={15} aria-hidden />} onClick={onAgain}>
        {t("instance.live.again")}
      </Button>
    </Stack>
  );
}
