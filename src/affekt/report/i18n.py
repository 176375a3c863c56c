"""Texts of the report of a study, in English and Chinese."""

SPEAKERS_UNKNOWN: dict[str, dict[str, str]] = {  # in place of the texts about speakers
    "en": {
        "size": "{clips} clips, speakers unknown",
        "speakers": "clips",
        "scores_note": (
            "Mean ± standard deviation over seeds, and the 95 % interval by bootstrap over clips: "
            "speakers are unknown, so a score may be of speakers who are in training too, and the "
            "interval is too narrow. WA is accuracy, UAR unweighted average recall, MAP "
            "macro-averaged precision."
        ),
        "tests_note": (
            "Paired permutation test of the pooled UAR over clips; since speakers are unknown, p "
            "is too small. Holm's correction for the number of pairs; p below 0.05 is bold."
        ),
        "smallest_p": (
            "The number of clips ({speakers}) limits p to at least {least:.4f}, and to at least "
            "{corrected:.3f} after correction for the number of pairs ({pairs}), however large the "
            "difference: compare fewer systems."
        ),
    },
    "zh": {
        "size": "{clips} 条语音，说话人未知",
        "speakers": "语音条数",
        "scores_note": (
            "各随机种子的均值 ± 标准差，以及按语音自助重采样得到的 95 % 置信区间：说话人未知，"
            "测试语音的说话人可能也在训练数据中，区间过窄。WA 为加权准确率，"
            "UAR 为未加权平均召回率，MAP 为宏平均精确率。"
        ),
        "tests_note": (
            "对合并后的 UAR 按语音作配对置换检验；由于说话人未知，p 值偏小。"
            "按系统对的数目作 Holm 校正；小于 0.05 的 p 值以粗体显示。"
        ),
        "smallest_p": (
            "只有 {speakers} 条语音时，无论差异多大，p 值都不会低于 {least:.4f}，"
            "按 {pairs} 个系统对校正后不会低于 {corrected:.3f}：请减少参与比较的系统。"
        ),
    },
}
TEXT: dict[str, dict[str, str]] = {
    "en": {
        "title": "Emotion recognition study",
        "limits": (
            "Emotion recognition makes errors, differs between cultures and persons, and must not "
            "be used to make decisions about people. A score holds for this corpus and protocol, "
            "not for everyday speech."
        ),
        "corpus": "Corpus",
        "size": "{clips} clips, {speakers} speakers",
        "clips": "clips",
        "speakers": "speakers",
        "license": "License",
        "notes": "Notes",
        "scores": "Scores",
        "scores_note": (
            "Mean ± standard deviation over seeds, and the 95 % interval by bootstrap over "
            "speakers. WA is accuracy, UAR unweighted average recall, MAP macro-averaged precision."
        ),
        "system": "system",
        "majority": "majority class of the test clips (WA)",
        "chance": "chance (UAR)",
        "seeds": "seeds",
        "tests": "Significance tests",
        "tests_note": (
            "Paired permutation test of the pooled UAR; all predictions for a speaker are "
            "exchanged together. Holm's correction for the number of pairs; p below 0.05 is bold."
        ),
        "smallest_p": (
            "The number of speakers ({speakers}) limits p to at least {least:.4f}, and to at least "
            "{corrected:.3f} after correction for the number of pairs ({pairs}), however large the "
            "difference: compare fewer systems."
        ),
        "pair": "systems",
        "difference": "difference in UAR",
        "corrected": "corrected p",
        "confusion": "Confusion matrix, summed over folds and seeds",
        "by_class": "By class",
        "by_speaker": "By speaker",
        "by_gender": "By gender",
        "class": "class",
        "recall": "recall",
        "precision": "precision",
        "speaker": "speaker",
        "gender": "gender",
        "risk": "Wrong answers if only confident ones are given",
        "curves": "Learning curves of each training: loss, validation loss and validation UAR",
        "balance": "Class balance in the training part of the first fold",
        "protocol": "Protocol",
        "settings": "Settings and versions",
        "interval": "95 %",
        "other_folds": (
            "The runs have different folds, as their titles say: each system was trained on other "
            "data, and part of every difference may come from there."
        ),
        "other_seeds": (
            "The runs have different numbers of seeds, as their titles say: a score over few seeds "
            "is less exact."
        ),
    },
    "zh": {
        "title": "语音情感识别研究报告",
        "limits": (
            "情感识别会出错，因文化和个人而异，不得据此对人作出决定。分数只适用于该语料库和该评估协议，"
            "不代表日常语音。"
        ),
        "corpus": "语料库",
        "size": "{clips} 条语音，{speakers} 位说话人",
        "clips": "语音条数",
        "speakers": "说话人数",
        "license": "许可",
        "notes": "说明",
        "scores": "分数",
        "scores_note": (
            "各随机种子的均值 ± 标准差，以及按说话人自助重采样得到的 95 % 置信区间。"
            "WA 为加权准确率，UAR 为未加权平均召回率，MAP 为宏平均精确率。"
        ),
        "system": "系统",
        "majority": "始终预测测试语音的多数类（WA）",
        "chance": "随机水平（UAR）",
        "seeds": "种子数",
        "tests": "显著性检验",
        "tests_note": (
            "对合并后的 UAR 作配对置换检验，同一说话人的全部预测一起交换。"
            "按系统对的数目作 Holm 校正；小于 0.05 的 p 值以粗体显示。"
        ),
        "smallest_p": (
            "只有 {speakers} 位说话人时，无论差异多大，p 值都不会低于 {least:.4f}，"
            "按 {pairs} 个系统对校正后不会低于 {corrected:.3f}：请减少参与比较的系统。"
        ),
        "pair": "系统对",
        "difference": "UAR 之差",
        "corrected": "校正后的 p 值",
        "confusion": "混淆矩阵（合并各折与各种子）",
        "by_class": "按类别",
        "by_speaker": "按说话人",
        "by_gender": "按性别",
        "class": "类别",
        "recall": "召回率",
        "precision": "精确率",
        "speaker": "说话人",
        "gender": "性别",
        "risk": "只在置信度高时作答的错误率",
        "curves": "各次训练的学习曲线：训练损失、验证损失和验证 UAR",
        "balance": "第一折训练部分的类别平衡",
        "protocol": "评估协议",
        "settings": "设置与版本",
        "interval": "95 %",
        "other_folds": "各次评估的折不同（见标题）：训练数据不同，分数之差可能部分由此而来。",
        "other_seeds": "各次评估的种子数不同（见标题）：种子少的分数精确度较低。",
    },
}
