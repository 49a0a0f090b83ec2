import { Anchor, type AnchorProps, Button, type ButtonProps } from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import type { ComponentProps } from 'react';

type Native<Props> = Props & Omit<ComponentProps<'a'>, keyof Props>;

/** A link to a page of this document, with what its path may carry. */
export const AnchorLink = createLink((props: Native<AnchorProps>) => <Anchor {...props} />);

/** The same, as a button. */
export const ButtonLink = createLink((props: Native<ButtonProps>) => <Button component="a" {...props} />);
