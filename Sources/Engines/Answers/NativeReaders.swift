/// The readers of all dialects outside the OpenAI family.
enum NativeReaders {
    /// How such an answer is cut, and who reads it; nil for the OpenAI family.
    ///
    /// `contentType` is in lower case. Of a refused request (`isSuccess` false) the answer is plain.
    static func reader(
        for request: InferenceRequest, backend: Backend, isSuccess: Bool, contentType: String
    ) -> (framing: AnswerFraming, reader: any AnswerReader)? {
        nil
    }
}
