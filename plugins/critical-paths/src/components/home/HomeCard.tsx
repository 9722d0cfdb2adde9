import type { ReactNode } from 'react';
import { Card, CardBody, CardHeader, Text } from '@backstage/ui';

/** What the home page gives to the renderer of a widget. */
export interface HomeCardProps {
  title?: string;
  Content: (props: { children?: ReactNode }) => ReactNode;
}

/** Draws a widget of the home page as a Backstage UI card. */
export function HomeCard({ title, Content }: HomeCardProps) {
  return (
    <Card>
      {title && (
        <CardHeader>
          <Text as="h2" variant="title-x-small" weight="bold">
            {title}
          </Text>
        </CardHeader>
      )}
      <CardBody>
        <Content />
      </CardBody>
    </Card>
  );
}
