// A guest's serial port or screen over a WebSocket of our own server: bytes both ways, and a close
// that says why.
//
//   connecting --open--> open --close--> closed --(the reader wants it again)--> connecting

export type Kind = "serial" | "screen";

export interface Closing {
  code: number;
  /** The server's words; none where the connection broke. */
  reason: string;
  /** Whether it was ever open: what never was, the server refused. */
  opened: boolean;
}

export type Phase = { is: "connecting" } | { is: "open" } | { is: "closed"; closing: Closing };

/** RFC 6455 and its registry, and 4001, which is OpsHawk's own. */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const POLICY = 1008;
const FAILED = 1011;
const RESTART = 1012;
const TRY_AGAIN = 1013;
const TAKEN_OVER = 4001;

const SUBPROTOCOL = "binary";

export const channelPath = (id: string, kind: Kind) => `/v1/instances/${id}/console/${kind}`;

export type Why =
  "refused" | "ended" | "forbidden" | "failed" | "restarts" | "noAgent" | "taken" | "lost";

export function whyClosed({ code, opened }: Closing): Why {
  switch (code) {
    case NORMAL:
      return "ended";
    case POLICY:
      return "forbidden";
    case FAILED:
      return "failed";
    case GOING_AWAY:
    case RESTART:
      return "restarts";
    case TRY_AGAIN:
      return "noAgent";
    case TAKEN_OVER:
      return "taken";
    default:
      return opened ? "lost" : "refused";
  }
}

export interface Channel {
  socket: WebSocket;
  /** Closes without telling: whoever calls it knows. */
  leave: () => void;
}

export function openChannel(path: string, onPhase: (phase: Phase) => void): Channel {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url, SUBPROTOCOL);
  socket.binaryType = "arraybuffer";
  const told = new AbortController();
  const { signal } = told;
  let opened = false;
  socket.addEventListener(
    "open",
    () => {
      opened = true;
      onPhase({ is: "open" });
    },
    { signal },
  );
  socket.addEventListener(
    "close",
    ({ code, reason }) => onPhase({ is: "closed", closing: { code, reason, opened } }),
    { signal },
  );
  const leave = () => {
    told.abort();
    socket.close(NORMAL);
  };
  return { socket, leave };
}

/** Ctrl and ], as `virsh console` and telnet have it: back from the guest to the page. */
export function isEscape({ ctrlKey, key }: KeyboardEvent): boolean {
  return ctrlKey && key === "]";
}
