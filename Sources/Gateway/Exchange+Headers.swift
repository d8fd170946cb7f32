import Engines
import Limits
import Metering
import NIOCore

/// What the gateway says of an answer beside it.
extension Exchange {
    /// `x-tollgate-*`: who served the answer, in which tier, and what the gateway added to its time. A stream's tier is
    /// only known at its end, so its head has none.
    func ownHeaders() -> [HeaderField] {
        var headers = [
            HeaderField("x-tollgate-backend", route.backend.name),
            HeaderField("x-tollgate-overhead-us", String(overheadMicroseconds())),
        ]
        if stream == nil, (200..<300).contains(machine.upstreamStatus) {
            headers.append(
                HeaderField("x-tollgate-tier", OpenAIDialect.tier(named: attempt.tierServed ?? admitted.tier)))
        }
        hold?.standings.forEachHeader { headers.append(HeaderField($0, $1)) }
        return headers
    }

    /// The time that was spent here and not with the engine, until now: from acceptance to the last try's start, and
    /// from the last bytes received to these headers, the record's way to the disk included.
    private func overheadMicroseconds() -> Int64 {
        let before = attempt.marks.upstreamSent ?? 0
        return before + (NIODeadline.now() - lastReceivedAt).nanoseconds / 1000
    }
}
