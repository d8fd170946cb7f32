import Metering

/// What version 1 wrote in another form: journals of that time are still read, and replayed when a database is
/// restored.
extension ByteReader {
    /// Version 1 knew operations of OpenAI's API only, each in one form.
    mutating func firstVersionSurface() throws(DecodingFault) -> Surface {
        try code { code in
            switch code {
            case 1: .chatCompletions
            case 2: .completions
            case 3: .embeddings
            default: nil
            }
        }
    }

    /// Text only, zeros written out.
    mutating func firstVersionBuckets() throws(DecodingFault) -> TokenBuckets {
        TokenBuckets(
            inputUncached: try signed(), cacheRead: try signed(), cacheWriteFiveMinutes: try signed(),
            cacheWriteHour: try signed(), cacheWriteLong: try signed(), outputVisible: try signed(),
            outputReasoning: try signed())
    }

    /// Each behind a flag of its own.
    mutating func firstVersionMarks() throws(DecodingFault) -> TimeMarks {
        TimeMarks(
            upstreamSent: try optionalSigned(), firstByte: try optionalSigned(), firstToken: try optionalSigned(),
            lastToken: try optionalSigned(), end: try optionalSigned())
    }
}
