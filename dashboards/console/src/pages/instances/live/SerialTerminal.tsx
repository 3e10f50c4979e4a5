// A guest's serial port in a terminal. Heavy: import it lazily.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { isEscape, openChannel, type Phase } from "./channel";

const SCROLLBACK_LINES = 5_000;
/** Of one message to the server, well below the most that it takes. */
const MESSAGE_BYTES = 16_384;
/** The log's colors, in light mode too: guests choose theirs for a dark terminal. */
const COLORS = { background: "#0b1319", foreground: "#cfe0e4", cursor: "#f0a93a" };

interface Props {
  path: string;
  /** What the guest printed before, as plain text. */
  printed: string;
  onPhase: (phase: Phase) => void;
  /** The reader wants its keys back. */
  onLeave: () => void;
}

export default function SerialTerminal({ path, printed, onPhase, onLeave }: Props) {
  const { t } = useTranslation();
  const host = useRef<HTMLDivElement>(null);
  // The newest of each, for a terminal that outlives renders.
  const latest = useRef({ printed, onPhase, onLeave });
  useEffect(() => {
    latest.current = { printed, onPhase, onLeave };
  }, [printed, onPhase, onLeave]);

  useEffect(() => {
    if (host.current === null) return;
    // Read when a terminal is made.
    Terminal.strings.promptLabel = t("instance.live.terminal");
    Terminal.strings.tooMuchOutput = t("instance.live.tooMuch");
    const terminal = new Terminal({
      theme: COLORS,
      fontFamily: getComputedStyle(host.current).fontFamily,
      fontSize: 13,
      scrollback: SCROLLBACK_LINES,
      cursorBlink: true,
      screenReaderMode: true,
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(host.current);
    fit.fit();
    const resized = new ResizeObserver(() => fit.fit());
    resized.observe(host.current);

    terminal.write(latest.current.printed.replace(/\n/g, "\r\n"));
    const { socket, leave } = openChannel(path, (phase) => {
      if (phase.is === "open") terminal.focus();
      latest.current.onPhase(phase);
    });
    socket.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) =>
      terminal.write(new Uint8Array(data)),
    );
    const send = (bytes: Uint8Array<ArrayBuffer>) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      // What is pasted may be long.
      for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) {
        socket.send(bytes.subarray(at, at + MESSAGE_BYTES));
      }
    };
    const encoder = new TextEncoder();
    terminal.onData((text) => send(encoder.encode(text)));
    // Mouse reports of old encodings: each character is a byte.
    terminal.onBinary((text) => send(Uint8Array.from(text, (char) => char.charCodeAt(0))));
    terminal.attachCustomKeyEventHandler((event) => {
      if (!isEscape(event)) return true;
      if (event.type === "keydown") latest.current.onLeave();
      return false;
    });
    return () => {
      leave();
      resized.disconnect();
      terminal.dispose();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- another language is no other terminal
  }, [path]);

  return <div ref={host} className="live-terminal" />;
}
