// What a terminal would act on: colours and cursor movements (ECMA-48 control sequences), and
// control characters other than tab and newline.
/* eslint-disable no-control-regex -- control characters are what it looks for */
const CONTROL_SEQUENCE = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])/g;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** A serial console's output as text to read. */
export function plainText(output: string): string {
  return output.replace(CONTROL_SEQUENCE, "").replace(/\r+\n/g, "\n").replace(CONTROL, "");
}
