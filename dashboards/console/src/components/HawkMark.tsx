/** The mark: a hawk's head that looks to the right, with an amber eye. */
export function HawkMark({ size = 28, title }: { size?: number; title?: string }) {
  const label =
    title === undefined ? { "aria-hidden": true } : { role: "img", "aria-label": title };
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" focusable="false" {...label}>
      <rect width="32" height="32" rx="8" fill="#0a5b66" />
      <path
        fill="#e8f6f7"
        d="M5 27.2C4.4 15.2 10 5.6 19 5.6c5 0 8.6 3 9.2 7.4.2 1.8-.3 3.6-1.4 5.2-.5-1.7-1.6-2.7-3.4-2.9 1 1.6 1 3.1.1 4.6-4.4-.9-8.3.9-10.4 3.3 1.7-.3 3.3-.1 4.7.6-4.2-.2-8.7 1-12.8 3.4Z"
      />
      <path
        fill="#f2a93b"
        d="M28.2 13c.2 1.8-.3 3.6-1.4 5.2-.5-1.7-1.6-2.7-3.4-2.9.7-1.7 2.6-2.6 4.8-2.3Z"
      />
      <path fill="#0a5b66" d="M16.4 10.2l6.2 1.3c-.4 1.5-1.6 2.4-3.1 2.3-1.6-.1-2.9-1.5-3.1-3.6Z" />
      <circle cx="19.8" cy="12" r="1.2" fill="#f2a93b" />
    </svg>
  );
}
