import { em, useMantineTheme } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';

/** Whether the list of pages is folded away, so that its place is scarce. */
export function useIsNarrow(): boolean {
  const { breakpoints } = useMantineTheme();
  return useMediaQuery(`(max-width: ${em(breakpoints.sm)})`, false, { getInitialValueInEffect: false });
}
