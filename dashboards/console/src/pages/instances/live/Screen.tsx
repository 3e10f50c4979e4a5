// A guest's screen, by noVNC. Heavy: import it lazily.
import { Box, Button, Group } from "@mantine/core";
import { IconKeyboard } from "@tabler/icons-react";
import RFB from "@novnc/novnc";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { isEscape, openChannel, type Phase } from "./channel";

const BACKGROUND = "#000";

interface Props {
  path: string;
  onPhase: (phase: Phase) => void;
  /** The reader wants its keys back. */
  onLeave: () => void;
}

export default function Screen({ path, onPhase, onLeave }: Props) {
  const { t } = useTranslation();
  const host = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<RFB | null>(null);
  // The newest of each, for a connection that outlives renders.
  const latest = useRef({ onPhase, onLeave });
  useEffect(() => {
    latest.current = { onPhase, onLeave };
  }, [onPhase, onLeave]);

  useEffect(() => {
    const target = host.current;
    if (target === null) return;
    const { socket, leave } = openChannel(path, (phase) => {
      // The socket is open before the guest's screen answers: noVNC says when it does.
      if (phase.is === "open") return;
      setShown(null);
      latest.current.onPhase(phase);
    });
    const rfb = new RFB(target, socket, { shared: true });
    rfb.scaleViewport = true;
    rfb.showDotCursor = true;
    rfb.background = BACKGROUND;
    rfb.addEventListener("connect", () => {
      setShown(rfb);
      latest.current.onPhase({ is: "open" });
      rfb.focus();
    });
    // Before noVNC takes it for the guest.
    const escape = (event: KeyboardEvent) => {
      if (!isEscape(event)) return;
      event.preventDefault();
      event.stopPropagation();
      rfb.blur();
      latest.current.onLeave();
    };
    target.addEventListener("keydown", escape, { capture: true });
    return () => {
      target.removeEventListener("keydown", escape, { capture: true });
      leave();
      rfb.disconnect();
    };
  }, [path]);

  return (
    <>
      <Box
        ref={host}
        role="application"
        aria-label={t("instance.live.screen")}
        className="live-screen"
      />
      <Group p="sm">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconKeyboard size={15} aria-hidden />}
          disabled={shown === null}
          onClick={() => {
            shown?.sendCtrlAltDel();
            shown?.focus();
          }}
        >
          {t("instance.live.ctrlAltDel")}
        </Button>
      </Group>
    </>
  );
}
