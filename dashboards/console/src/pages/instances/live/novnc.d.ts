// What is used of noVNC, which brings no types along.
declare module "@novnc/novnc" {
  interface Options {
    shared?: boolean;
  }

  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, channel: WebSocket, options?: Options);
    scaleViewport: boolean;
    showDotCursor: boolean;
    background: string;
    focus(): void;
    blur(): void;
    sendCtrlAltDel(): void;
    disconnect(): void;
  }
}
