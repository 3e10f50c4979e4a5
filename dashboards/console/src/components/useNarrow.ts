import { useMediaQuery } from "@mantine/hooks";

/** As on a phone: what is a table elsewhere is a stack of cards. */
export const useNarrow = () =>
  useMediaQuery("(max-width: 48em)", undefined, { getInitialValueInEffect: false });
