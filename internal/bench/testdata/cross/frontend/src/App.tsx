import { useEffect, useRef, useState } from "react";
import { formatDistanceToNow } from "date-fns";
import { Globe } from "./globe";

export function App() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [since] = useState(() => new Date());
  const [turns, setTurns] = useState(0);

  useEffect(() => {
    if (!canvas.current) {
      return;
    }
    const globe = new Globe(canvas.current, () => setTurns((n) => n + 1));
    globe.start();
    return () => globe.stop();
  }, []);

  return (
    <main>
      <canvas ref={canvas} width={640} height={480} />
      <p>
        {turns} turns, started {formatDistanceToNow(since)} ago
      </p>
    </main>
  );
}
